package swift

import (
	"slices"
	"testing"
	"testing/fstest"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
)

func TestLock(t *testing.T) {
	r := analyzetest.RunDir(t, Lock{}, "testdata")
	analyzetest.Check(t, r,
		"pkg:cocoapods/Firebase@10.18.0 declared[]",
		"pkg:cocoapods/GoogleUtilities@7.12.0 declared[]",
		"pkg:cocoapods/PINCache@3.0.3 declared[]",
		"pkg:cocoapods/RCTTypeSafety@0.72.0-rc.1 declared[]",
		"pkg:swift/github.com/Alamofire/Alamofire@5.5.0 declared[]",
		"pkg:swift/github.com/apple/swift-nio-http2@1.35.0 declared[]",
		"pkg:swift/github.com/apple/swift-nio@2.81.0 declared[]",
		"pkg:swift/github.com/vapor/console-kit@742f624a998cba2a9e653d9b1e91ad3f3a5dff6b declared[]",
		"pkg:swift/mona.linkedlist@1.2.0 declared[]",
	)
	if p := analyzetest.Find(t, r, "Firebase"); !slices.Equal(p.Depends, []string{"FirebaseCore", "FirebaseMessaging"}) {
		t.Errorf("%+v", p)
	}
	if p := analyzetest.Find(t, r, "console-kit"); p.Meta["branch"] != "main" {
		t.Errorf("%+v", p)
	}
}

func TestWantsAndBroken(t *testing.T) {
	for path, want := range map[string]analyze.Interest{
		"Package.resolved": analyze.Alone, "a/b.xcworkspace/xcshareddata/swiftpm/Package.resolved": analyze.Alone, "a/Podfile.lock": analyze.Alone,
		"a/.build/checkouts/x/Package.resolved": analyze.Ignore, "a/xPodfile.lock": analyze.Ignore,
	} {
		if got := (Lock{}).Wants(analyze.Entry{Path: path}); got != want {
			t.Errorf("Wants(%s) = %v, want %v", path, got, want)
		}
	}
	r := analyzetest.Run(t, Lock{}, fstest.MapFS{
		"Podfile.lock": {Data: []byte("nothing\n")}, "Package.resolved": {Data: []byte("{")}, "a/Package.resolved": {Data: []byte(`{"pins":[{"identity":"a"}]}`)},
	})
	if len(r.Packages) != 0 || len(r.Problems) != 3 {
		t.Errorf("%+v", r)
	}
}

func FuzzLock(f *testing.F) {
	analyzetest.Fuzz(f, []analyze.Analyzer{Lock{}}, []string{"Package.resolved", "Podfile.lock"}, nil, "testdata")
}
