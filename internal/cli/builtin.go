package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/account"
	"github.com/tidewaiter/tidewaiter/internal/analyze/apk"
	"github.com/tidewaiter/tidewaiter/internal/analyze/binary"
	"github.com/tidewaiter/tidewaiter/internal/analyze/conan"
	"github.com/tidewaiter/tidewaiter/internal/analyze/config"
	"github.com/tidewaiter/tidewaiter/internal/analyze/content"
	"github.com/tidewaiter/tidewaiter/internal/analyze/contentset"
	"github.com/tidewaiter/tidewaiter/internal/analyze/dart"
	"github.com/tidewaiter/tidewaiter/internal/analyze/distro"
	"github.com/tidewaiter/tidewaiter/internal/analyze/dotnet"
	"github.com/tidewaiter/tidewaiter/internal/analyze/dpkg"
	"github.com/tidewaiter/tidewaiter/internal/analyze/erlang"
	"github.com/tidewaiter/tidewaiter/internal/analyze/golang"
	"github.com/tidewaiter/tidewaiter/internal/analyze/haskell"
	"github.com/tidewaiter/tidewaiter/internal/analyze/homebrew"
	"github.com/tidewaiter/tidewaiter/internal/analyze/java"
	"github.com/tidewaiter/tidewaiter/internal/analyze/julia"
	"github.com/tidewaiter/tidewaiter/internal/analyze/license"
	"github.com/tidewaiter/tidewaiter/internal/analyze/lua"
	"github.com/tidewaiter/tidewaiter/internal/analyze/malware"
	"github.com/tidewaiter/tidewaiter/internal/analyze/nix"
	"github.com/tidewaiter/tidewaiter/internal/analyze/node"
	"github.com/tidewaiter/tidewaiter/internal/analyze/ocaml"
	"github.com/tidewaiter/tidewaiter/internal/analyze/pacman"
	"github.com/tidewaiter/tidewaiter/internal/analyze/perl"
	"github.com/tidewaiter/tidewaiter/internal/analyze/php"
	"github.com/tidewaiter/tidewaiter/internal/analyze/portage"
	"github.com/tidewaiter/tidewaiter/internal/analyze/python"
	"github.com/tidewaiter/tidewaiter/internal/analyze/r"
	"github.com/tidewaiter/tidewaiter/internal/analyze/rpm"
	"github.com/tidewaiter/tidewaiter/internal/analyze/ruby"
	"github.com/tidewaiter/tidewaiter/internal/analyze/rust"
	"github.com/tidewaiter/tidewaiter/internal/analyze/sbomfile"
	"github.com/tidewaiter/tidewaiter/internal/analyze/secret"
	"github.com/tidewaiter/tidewaiter/internal/analyze/swift"
	"github.com/tidewaiter/tidewaiter/internal/analyze/wordpress"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/feed/arch"
	"github.com/tidewaiter/tidewaiter/internal/feed/csaf"
	"github.com/tidewaiter/tidewaiter/internal/feed/cvev5"
	"github.com/tidewaiter/tidewaiter/internal/feed/debian"
	"github.com/tidewaiter/tidewaiter/internal/feed/echo"
	"github.com/tidewaiter/tidewaiter/internal/feed/elixirsec"
	"github.com/tidewaiter/tidewaiter/internal/feed/eol"
	"github.com/tidewaiter/tidewaiter/internal/feed/epss"
	"github.com/tidewaiter/tidewaiter/internal/feed/friendsofphp"
	"github.com/tidewaiter/tidewaiter/internal/feed/gentoo"
	"github.com/tidewaiter/tidewaiter/internal/feed/kev"
	"github.com/tidewaiter/tidewaiter/internal/feed/nodesecwg"
	"github.com/tidewaiter/tidewaiter/internal/feed/nvd"
	"github.com/tidewaiter/tidewaiter/internal/feed/osv"
	"github.com/tidewaiter/tidewaiter/internal/feed/oval"
	"github.com/tidewaiter/tidewaiter/internal/feed/photon"
	"github.com/tidewaiter/tidewaiter/internal/feed/retirejs"
	"github.com/tidewaiter/tidewaiter/internal/feed/rubysec"
	"github.com/tidewaiter/tidewaiter/internal/feed/secdb"
	"github.com/tidewaiter/tidewaiter/internal/feed/ubuntu"
	"github.com/tidewaiter/tidewaiter/internal/feed/updateinfo"
	"github.com/tidewaiter/tidewaiter/internal/feed/vex"
	"github.com/tidewaiter/tidewaiter/internal/policy"
	"github.com/tidewaiter/tidewaiter/internal/policy/gates"
)

// analyzers lists every analyzer of the product.
func analyzers() []analyze.Analyzer {
	return []analyze.Analyzer{
		distro.Analyzer{},
		dpkg.Analyzer{}, dpkg.Chisel{}, dpkg.Opkg{},
		rpm.Analyzer{}, contentset.Analyzer{},
		apk.Analyzer{},
		pacman.Analyzer{},
		portage.Analyzer{},
		python.Analyzer{}, python.LockAnalyzer{},
		node.Analyzer{}, node.LockAnalyzer{}, node.Libraries{},
		ruby.Analyzer{}, ruby.LockAnalyzer{},
		java.Analyzer{}, java.Lock{},
		golang.Analyzer{}, golang.Mod{},
		rust.Analyzer{}, rust.Lock{},
		dotnet.Analyzer{}, dotnet.Lock{},
		php.Analyzer{}, php.LockAnalyzer{},
		erlang.Analyzer{}, erlang.Lock{},
		dart.Analyzer{}, dart.Lock{},
		swift.Lock{},
		haskell.Analyzer{}, haskell.Lock{},
		r.Analyzer{}, r.Lock{},
		lua.Analyzer{},
		perl.Analyzer{}, perl.Lock{},
		julia.Analyzer{}, julia.Lock{},
		conan.Analyzer{}, conan.Lock{},
		ocaml.Analyzer{},
		homebrew.Analyzer{},
		wordpress.Analyzer{},
		sbomfile.Analyzer{},
		binary.Analyzer{},
	}
}

// clamdAnalyzers are those that ask a ClamAV daemon.
func clamdAnalyzers(ctx context.Context, address string) (analyze.Analyzer, analyze.ImageAnalyzer, error) {
	a, err := malware.New(ctx, address)
	if err != nil {
		return nil, nil, err
	}
	return a, malware.ImageAnalyzer{By: a}, nil
}

// newHashList is a list of unwanted files, to be read.
func newHashList() *malware.Hashes { return &malware.Hashes{} }

// digestAnalyzers lists the analyzers of what package databases know of files.
func digestAnalyzers() []analyze.Analyzer {
	return []analyze.Analyzer{dpkg.Digests{}, rpm.Digests{}, apk.Digests{}}
}

// licenseAnalyzers lists the analyzers that recognise licences by their texts.
func licenseAnalyzers() []analyze.Analyzer { return []analyze.Analyzer{&license.Analyzer{}} }

// factAnalyzers lists the analyzers of what only policy asks about.
func factAnalyzers() []analyze.Analyzer {
	return []analyze.Analyzer{
		&secret.Analyzer{},
		account.Analyzer{},
		config.Analyzer{},
	}
}

// searchAnalyzers lists the analyzers of what is configured to be looked for
// and to be kept. Contents are searched where there is something to look for.
func searchAnalyzers(c *searches) ([]analyze.Analyzer, error) {
	secrets := &content.Search{Kind: content.SecretKind, Expressions: content.Defaults(), MaxSize: c.secrets.size}
	contents := &content.Search{Kind: content.ContentKind, MaxSize: c.contents.size}
	retrieve := &content.Retrieve{Paths: content.DefaultPaths(), MaxSize: c.pathSize}
	var problems []error
	parse := func(texts []string) (list []content.Expression) {
		for _, text := range texts {
			e := content.ParseExpression(text)
			problems = append(problems, e.Check())
			list = append(list, e)
		}
		return list
	}
	if len(c.secrets.expressions) > 0 {
		secrets.Expressions = parse(c.secrets.expressions)
	}
	contents.Expressions = parse(c.contents.expressions)
	if len(c.paths) > 0 {
		retrieve.Paths = c.paths
		for _, p := range c.paths {
			problems = append(problems, content.CheckPath(p))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	list := []analyze.Analyzer{secrets, retrieve}
	if len(contents.Expressions) > 0 {
		list = append(list, contents)
	}
	return list, nil
}

// imageAnalyzers lists the analyzers that learn from the finished inventory
// and the configuration.
func imageAnalyzers(facts bool) []analyze.ImageAnalyzer {
	list := []analyze.ImageAnalyzer{
		nix.Analyzer{},
	}
	if facts {
		list = append(list, secret.ImageAnalyzer{}, config.ImageAnalyzer{})
	}
	return list
}

// analyzer makes the search for secrets with the owner's rules and key.
func (s *secretFlags) analyzer() (*secret.Analyzer, error) {
	an := &secret.Analyzer{}
	for _, name := range s.rules {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("--secret-rules: %w", err)
		}
		rules, err := secret.ParseRules(string(text))
		if err != nil {
			return nil, fmt.Errorf("--secret-rules %s: %w", name, err)
		}
		an.Rules = append(an.Rules, rules...)
	}
	if err := secret.Validate(an.Rules); err != nil {
		return nil, fmt.Errorf("--secret-rules: %w", err)
	}
	if s.keyFile == "" {
		return an, nil
	}
	key, err := os.ReadFile(s.keyFile)
	if err != nil {
		return nil, fmt.Errorf("--secret-key: %w", err)
	}
	if an.FingerprintKey = bytes.TrimSpace(key); len(an.FingerprintKey) < 16 {
		return nil, fmt.Errorf("--secret-key %s: a key has at least 16 bytes", s.keyFile)
	}
	return an, nil
}

// apply puts the owner's search for secrets in place of the built-in one.
func (s *secretFlags) apply(list []analyze.Analyzer, images []analyze.ImageAnalyzer) error {
	if len(s.rules) == 0 && s.keyFile == "" {
		return nil
	}
	own, err := s.analyzer()
	if err != nil {
		return err
	}
	for i := range list {
		if _, ok := list[i].(*secret.Analyzer); ok {
			list[i] = own
		}
	}
	for i := range images {
		if _, ok := images[i].(secret.ImageAnalyzer); ok {
			images[i] = secret.ImageAnalyzer{Analyzer: own}
		}
	}
	return nil
}

// list is the rules in force.
func (s *secretFlags) list() ([]secretRule, error) {
	an, err := s.analyzer()
	if err != nil {
		return nil, err
	}
	rules, err := an.RulesInForce()
	out := make([]secretRule, len(rules))
	for i, r := range rules {
		out[i] = secretRule{r.ID, r.Title, r.Service, r.Category, r.Confidence}
	}
	return out, err
}

// finder searches a text as a file of that path would be searched.
func (s *secretFlags) finder() (func(path string, text []byte) ([]foundSecret, error), error) {
	an, err := s.analyzer()
	if err != nil {
		return nil, err
	}
	return func(path string, text []byte) ([]foundSecret, error) {
		found, err := an.Scan(path, text)
		out := make([]foundSecret, len(found))
		for i, f := range found {
			out[i] = foundSecret{Line: f.Line, Rule: f.Rule, Title: f.Title, Name: f.Name, Context: f.Context, Confidence: f.Confidence}
			if f.End > 0 {
				out[i].Preview = secret.Redact(text[f.Start:f.End])
			}
		}
		return out, err
	}, nil
}

// previewing are the analyzers of secrets that also show them, redacted.
func (s *secretFlags) previewing() (*analyze.Set, []analyze.ImageAnalyzer, error) {
	an, err := s.analyzer()
	if err != nil {
		return nil, nil, err
	}
	an.Preview = true
	return &analyze.Set{Analyzers: []analyze.Analyzer{an}}, []analyze.ImageAnalyzer{secret.ImageAnalyzer{Analyzer: an}}, nil
}

// sources lists every feed of the product.
func sources() []feed.Source {
	return slices.Concat(
		debian.Sources(),
		ubuntu.Sources(),
		secdb.Sources(),
		arch.Sources(),
		gentoo.Sources(),
		updateinfo.Sources(),
		oval.Sources(),
		csaf.Sources(),
		photon.Sources(),
		echo.Sources(),
		osv.Sources(),
		nvd.Sources(),
		cvev5.Sources(),
		kev.Sources(),
		epss.Sources(),
		eol.Sources(),
		rubysec.Sources(),
		friendsofphp.Sources(),
		retirejs.Sources(),
		nodesecwg.Sources(),
		elixirsec.Sources(),
		vex.Sources(),
	)
}

// readOSV reads an advisory that a plugin answers.
func readOSV(source string, record []byte) iter.Seq2[*advisory.Advisory, error] {
	return osv.Record(source, record)
}

// policyGates lists every gate of the product.
func policyGates() []policy.Gate { return gates.All() }

// readVEX reads a VEX document of any known format.
func readVEX(name string) ([]advisory.Statement, error) {
	in, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return vex.Read(in, name)
}

// misconfigurations lists the checks of settings.
func misconfigurations() []check {
	var list []check
	for _, r := range config.Rules() {
		list = append(list, check{r.ID, r.Group, r.Severity, r.Title, r.Why, r.Remedy, r.Refs})
	}
	return list
}
