package match

import (
	"errors"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/compact"
)

// answerForm is the form of the record of an answer. It is raised with every
// change of the fields.
const answerForm = 1

var errAnswer = errors.New("match: broken record of an answer")

// AppendRecord appends the answer for storage, all but the index of its
// package and what silences its findings, which are the image's. The same
// answer gives the same bytes.
func (a *Answer) AppendRecord(b []byte) []byte {
	c := answerCoder{compact.NewWriter()}
	c.answer(a)
	return c.Append(append(b, answerForm))
}

// UnmarshalAnswer reads what AppendRecord wrote and refuses anything else.
func UnmarshalAnswer(b []byte) (a Answer, err error) {
	if len(b) == 0 || b[0] != answerForm {
		return a, errAnswer
	}
	c := answerCoder{compact.NewReader(b[1:])}
	c.answer(&a)
	if c.Bad() {
		return Answer{}, errAnswer
	}
	return a, nil
}

type answerCoder struct{ *compact.Coder }

func (c answerCoder) answer(a *Answer) {
	compact.List(c.Coder, &a.Findings, 16, c.finding)
	c.Strings(&a.Problems)
	c.Strings(&a.Names)
	has := a.Bad != nil
	c.Bool(&has)
	if has {
		if c.Reading() {
			a.Bad = new(PackageState)
		}
		compact.Text(c.Coder, &a.Bad.State)
		c.String(&a.Bad.Stream)
		c.String(&a.Bad.Message)
	}
}

func (c answerCoder) finding(f *Finding) {
	c.String(&f.ID)
	c.Strings(&f.Aliases)
	compact.Text(c.Coder, &f.Severity)
	compact.List(c.Coder, &f.Scores, 6, func(s *advisory.Severity) {
		c.String(&s.Source)
		c.String(&s.Type)
		c.String(&s.Vector)
		c.Float(&s.Score)
		compact.Text(c.Coder, &s.Label)
		c.String(&s.Raw)
	})
	c.fix(&f.Fix)
	c.String(&f.Summary)
	c.String(&f.URL)
	c.Strings(&f.CWEs)
	c.Time(&f.Published)
	has := f.Exploited != nil
	c.Bool(&has)
	if has {
		if c.Reading() {
			f.Exploited = new(advisory.Exploited)
		}
		e := f.Exploited
		for _, s := range [...]*string{&e.Source, &e.ID, &e.Vendor, &e.Product, &e.Name, &e.Action, &e.Notes} {
			c.String(s)
		}
		c.Time(&e.Added)
		c.Time(&e.Due)
		c.Bool(&e.Ransomware)
	}
	has = f.EPSS != nil
	c.Bool(&has)
	if has {
		if c.Reading() {
			f.EPSS = new(advisory.EPSS)
		}
		c.String(&f.EPSS.ID)
		c.Float(&f.EPSS.Score)
		c.Float(&f.EPSS.Percentile)
		c.Time(&f.EPSS.Date)
	}
	c.Float(&f.Confidence)
	compact.List(c.Coder, &f.Evidence, 16, c.evidence)
}

func (c answerCoder) evidence(e *Evidence) {
	for _, s := range [...]*string{&e.Source, &e.Advisory, &e.Key.Stream, &e.Key.Name, &e.Names, &e.Version, &e.Range, &e.Comparison, &e.Status, &e.Note, &e.Product, &e.Origin, &e.URL} {
		c.String(s)
	}
	c.Bool(&e.Affected)
	c.fix(&e.Fix)
	c.Time(&e.Modified)
}

func (c answerCoder) fix(f *advisory.Fix) {
	compact.Text(c.Coder, &f.State)
	c.Strings(&f.Versions)
	c.Time(&f.Date)
	c.String(&f.Advisory)
	c.String(&f.URL)
}
