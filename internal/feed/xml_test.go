package feed

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"
)

func TestXMLDecoder(t *testing.T) {
	text := `<?xml version="1.0" encoding="ISO-8859-1"?><!DOCTYPE oval SYSTEM "oval.dtd"><o:oval xmlns:o="urn:o" xmlns="urn:d"><def id="1" o:v="2">caf` + "\xe9" + ` &amp; co</def></o:oval>`
	var v struct {
		XMLName xml.Name `xml:"urn:o oval"`
		Def     struct {
			ID   string `xml:"id,attr"`
			V    string `xml:"urn:o v,attr"`
			Text string `xml:",chardata"`
		} `xml:"urn:d def"`
	}
	if err := NewXMLDecoder(strings.NewReader(text), XMLLimits{}).Decode(&v); err != nil {
		t.Fatal(err)
	}
	if v.Def.ID != "1" || v.Def.V != "2" || v.Def.Text != "café & co" {
		t.Errorf("got %+v", v)
	}
	for charset, want := range map[string]string{"windows-1252": "€–™ÿ", "iso-8859-15": "€", "us-ascii": "ok", "UTF-8": "ü"} {
		raw := map[string]string{"windows-1252": "\x80\x96\x99\xff", "iso-8859-15": "\xa4", "us-ascii": "ok", "UTF-8": "ü"}[charset]
		var s string
		err := NewXMLDecoder(strings.NewReader(`<?xml version="1.0" encoding="`+charset+`"?><a>`+raw+`</a>`), XMLLimits{}).Decode(&s)
		if err != nil || s != want {
			t.Errorf("%s: %q, %v, want %q", charset, s, err, want)
		}
	}
}

func TestXMLDecoderRefuses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"bomb", `<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;">]><lolz>&lol2;</lolz>`, "declares entities"},
		{"external entity", `<!doctype a [<!entity x SYSTEM "file:///etc/passwd">]><a>&x;</a>`, "declares entities"},
		{"unknown entity", `<a>&nbsp;</a>`, "invalid character entity"},
		{"depth", strings.Repeat("<a>", 300), "limit of 200 nested XML elements"},
		{"attributes", "<a" + strings.Repeat(` b="c"`, 1001) + "/>", "limit of 1000 XML attributes"},
		{"tokens", "<a>" + strings.Repeat("<b/>", 600) + "</a>", "limit of 1000 XML tokens"},
		{"text", "<a>" + strings.Repeat("x", 300_000) + "</a>", "limit of 100000 bytes"},
		{"unclosed", "<a><b></b>", "unexpected EOF"},
		{"crossed", "<a><b></a></b>", "closed by"},
		{"charset", `<?xml version="1.0" encoding="utf-16"?><a/>`, `encoding "utf-16" is not known`},
	}
	for _, tt := range tests {
		d := NewXMLDecoder(strings.NewReader(tt.text), XMLLimits{Tokens: 1000, Token: 100_000})
		var err error
		for err == nil {
			_, err = d.Token()
		}
		if err == io.EOF || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func FuzzXMLDecoder(f *testing.F) {
	f.Add(`<?xml version="1.0"?><a x="1"><b>&lt;</b><!-- c --></a>`)
	f.Fuzz(func(t *testing.T, s string) {
		d := NewXMLDecoder(strings.NewReader(s), XMLLimits{Depth: 20, Tokens: 10000, Attributes: 50, Token: 1 << 16})
		for {
			if _, err := d.Token(); err != nil {
				return
			}
		}
	})
}
