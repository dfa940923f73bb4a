package cli

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
)

// searchFlags say what is looked for in files, and which files are kept, for
// rules that ask about it.
type searchFlags struct {
	file     string
	given    searches
	contents bool // contents are searched for something; known after analyzers
}

// searches are what to look for, and what to keep. An empty list means what
// Anchore's own configuration has, a size of 0 the same.
type searches struct {
	secrets, contents search
	paths             []string
	pathSize          int64 // bytes
}

type search struct {
	expressions []string // NAME=EXPRESSION
	size        int64    // bytes of the largest file that is searched
}

func (s *searchFlags) add(f *pflag.FlagSet) {
	f.StringArrayVar(&s.given.secrets.expressions, "secret-search", nil, "`NAME=EXPRESSION` that rules of secret_scans ask about, instead of AWS_ACCESS_KEY, AWS_SECRET_KEY, PRIV_KEY, DOCKER_AUTH and API_KEY (repeatable)")
	f.StringArrayVar(&s.given.contents.expressions, "content-search", nil, "`NAME=EXPRESSION` that rules of files/content_regex_match ask about (repeatable)")
	f.StringArrayVar(&s.given.paths, "retrieve-file", nil, "`PATH` of a file to keep for rules of retrieved_files, instead of /etc/passwd; \"*\" and \"/**\" are understood (repeatable)")
	f.StringVar(&s.file, "analyzer-config", "", "`file` in the form of Anchore's analyzer_config.yaml: retrieve_files, secret_search, content_search")
}

// analyzers are those that the flags ask for, or, where they are silent, the
// file, or else Anchore's own configuration.
func (s *searchFlags) analyzers() ([]analyze.Analyzer, error) {
	var c searches
	if s.file != "" {
		data, err := os.ReadFile(s.file)
		if err == nil {
			c, err = readAnalyzerConfig(data)
		}
		if err == nil {
			_, err = searchAnalyzers(&c)
		}
		if err != nil {
			return nil, fmt.Errorf("--analyzer-config %s: %w", s.file, err)
		}
	}
	for from, to := range map[*search]*search{&s.given.secrets: &c.secrets, &s.given.contents: &c.contents} {
		if from.expressions != nil {
			to.expressions = from.expressions
		}
		if from.size > 0 {
			to.size = from.size
		}
	}
	if s.given.paths != nil {
		c.paths = s.given.paths
	}
	if s.given.pathSize > 0 {
		c.pathSize = s.given.pathSize
	}
	s.contents = len(c.contents.expressions) > 0
	return searchAnalyzers(&c)
}

// readAnalyzerConfig reads what an analyzer_config.yaml says of searches and
// kept files; its other sections are none of ours.
func readAnalyzerConfig(data []byte) (searches, error) {
	type section struct {
		Params      []string `yaml:"match_params"`
		Expressions []string `yaml:"regexp_match"`
	}
	var doc struct {
		Retrieve struct {
			Size  int64    `yaml:"max_file_size_kb"`
			Paths []string `yaml:"file_list"`
		} `yaml:"retrieve_files"`
		Secrets  section `yaml:"secret_search"`
		Contents section `yaml:"content_search"`
	}
	var c searches
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return c, err
	}
	if doc.Retrieve.Size < 0 || doc.Retrieve.Size > 1<<30 {
		return c, fmt.Errorf("retrieve_files: max_file_size_kb %d is no size", doc.Retrieve.Size)
	}
	c.paths, c.pathSize = doc.Retrieve.Paths, doc.Retrieve.Size<<10
	read := func(name string, from section, to *search) error {
		to.expressions = from.Expressions
		for _, p := range from.Params {
			key, value, _ := strings.Cut(p, "=")
			switch key {
			case "MAXFILESIZE":
				n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
				if err != nil || n <= 0 {
					return fmt.Errorf("%s: %q: a number of bytes must follow MAXFILESIZE=", name, p)
				}
				to.size = n
			case "STOREONMATCH":
				// What matched is never kept, whatever is asked for.
			default:
				return fmt.Errorf("%s: %q: there are MAXFILESIZE and STOREONMATCH", name, p)
			}
		}
		return nil
	}
	if err := read("secret_search", doc.Secrets, &c.secrets); err != nil {
		return c, err
	}
	return c, read("content_search", doc.Contents, &c.contents)
}
