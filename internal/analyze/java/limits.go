package java

import "fmt"

// Bounds on one file of a layer, with everything nested in it.
const (
	maxDepth     = 32        // archives within archives
	maxNested    = 50_000    // archives within archives, of one file
	maxEntries   = 1_000_000 // entries of all central directories together
	maxDirectory = 64 << 20  // bytes of one central directory
	maxInflated  = 2 << 30   // bytes inflated in all
	maxLive      = 96 << 20  // bytes of nested archives held in memory at one time
	largeNested  = 8 << 20   // bytes of nested archives in memory from which one file is read at a time
	maxRatio     = 200       // inflated to packed bytes of a nested archive of more than 1 MiB
	maxLocked    = 100_000   // packages of one lock file
	maxProblems  = 100       // problems listed; one more says that there were others

	maxManifest   = 256 << 10 // bytes read of a manifest; what identifies stands in its first section
	maxProperties = 64 << 10
	maxPom        = 4 << 20
	maxDepends    = 2000 // dependencies listed of one pom.xml
	maxValue      = 256  // bytes of a name or version
)

// limitError says that a bound was reached.
type limitError struct {
	name  string
	limit int64
}

func (e *limitError) Error() string {
	return fmt.Sprintf("%s is over the limit of %d", e.name, e.limit)
}
