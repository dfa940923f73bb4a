package config

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// eachElement calls visit with every element of an XML document, the path of
// the names around it, and its line. text is what stood before the element's
// end, for elements that hold text only.
func eachElement(doc []byte, start func(path []string, e xml.StartElement, line int), text func(path []string, s string, line int)) error {
	d := xml.NewDecoder(bytes.NewReader(doc))
	d.Strict = false
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	var path []string
	for n := 0; ; n++ {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if n > maxSettings {
			return errSettings
		}
		line, _ := d.InputPos()
		switch t := t.(type) {
		case xml.StartElement:
			if len(path) >= maxDepth {
				return errDepth
			}
			path = append(path, t.Name.Local)
			start(path, t, line)
		case xml.EndElement:
			if len(path) > 0 {
				path = path[:len(path)-1]
			}
		case xml.CharData:
			if s := strings.TrimSpace(string(t)); s != "" && len(path) > 0 && text != nil {
				text(path, s, line)
			}
		}
	}
}

func attribute(e xml.StartElement, name string) (string, bool) {
	for _, a := range e.Attr {
		if strings.EqualFold(a.Name.Local, name) {
			return a.Value, true
		}
	}
	return "", false
}

// readTomcatUsers reads tomcat-users.xml.
func readTomcatUsers(f *file) error {
	return eachElement(f.text, func(_ []string, e xml.StartElement, line int) {
		if e.Name.Local != "user" {
			return
		}
		name, ok := attribute(e, "username")
		if !ok {
			name, _ = attribute(e, "name")
		}
		password, given := attribute(e, "password")
		if given && (wellKnown(password) || strings.EqualFold(password, name)) {
			f.report("TW-TOM-001", line, "user "+name)
		}
		roles, _ := attribute(e, "roles")
		for role := range strings.SplitSeq(roles, ",") {
			if role = strings.TrimSpace(role); strings.HasPrefix(role, "manager") || strings.HasPrefix(role, "admin") {
				f.report("TW-TOM-002", line, "user "+name+" with "+role)
				break
			}
		}
	}, nil)
}

// readTomcat reads server.xml and web.xml.
func readTomcat(f *file) error {
	servlet, class, name := "", "", ""
	return eachElement(f.text, func(path []string, e xml.StartElement, line int) {
		switch e.Name.Local {
		case "servlet":
			servlet, class = "", ""
		case "Server":
			port, _ := attribute(e, "port")
			if command, _ := attribute(e, "shutdown"); command == "SHUTDOWN" && port != "-1" && port != "" && len(path) == 1 {
				f.report("TW-TOM-003", line, "port "+port)
			}
		case "Connector":
			protocol, _ := attribute(e, "protocol")
			if strings.Contains(strings.ToLower(protocol), "ajp") {
				address, there := attribute(e, "address")
				secret, _ := attribute(e, "secret")
				old, _ := attribute(e, "requiredSecret")
				required, _ := attribute(e, "secretRequired")
				// Without an address current releases listen on the loopback alone, and want a secret.
				if secret == "" && old == "" && (there && !loopback(address) && address != "" || strings.EqualFold(required, "false") && (!there || !loopback(address))) {
					f.report("TW-TOM-004", line, "AJP connector")
				}
			}
			if trace, _ := attribute(e, "allowTrace"); strings.EqualFold(trace, "true") {
				f.report("TW-TOM-008", line, "allowTrace")
			}
		}
	}, func(path []string, s string, line int) {
		switch path[len(path)-1] {
		case "servlet-name":
			servlet = s
		case "servlet-class":
			class = s
		case "param-name":
			name = s
		case "param-value":
			if len(path) < 3 || path[len(path)-3] != "servlet" || servlet != "default" && !strings.HasSuffix(class, ".DefaultServlet") {
				return
			}
			switch {
			case name == "listings" && strings.EqualFold(s, "true"):
				f.report("TW-TOM-005", line, "listings")
			case name == "readonly" && strings.EqualFold(s, "false"):
				f.report("TW-TOM-006", line, "readonly")
			}
		}
	})
}

// readTomcatManager reads the context.xml of the manager application.
func readTomcatManager(f *file) error {
	valve := false
	err := eachElement(f.text, func(_ []string, e xml.StartElement, _ int) {
		class, _ := attribute(e, "className")
		allow, _ := attribute(e, "allow")
		if e.Name.Local == "Valve" && (strings.Contains(class, "RemoteAddrValve") || strings.Contains(class, "RemoteCIDRValve") || strings.Contains(class, "RemoteHostValve")) && allow != ".*" && allow != "0.0.0.0/0" {
			valve = true
		}
	}, nil)
	if err == nil && !valve {
		f.report("TW-TOM-007", 1, "no valve limits the addresses")
	}
	return err
}
