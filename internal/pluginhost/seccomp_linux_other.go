//go:build linux && !amd64 && !arm64

package pluginhost

// The filter is written for two processors; on others it is missing, and said
// to be.
const auditArch = 0

var refusedHere []uint32
