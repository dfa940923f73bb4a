package advisory

import "strings"

// Maintenance tells by its title a distribution's bulletin that is not about a
// vulnerability: the mending of an earlier update, news of time zones and of
// support. It is asked of those that name no vulnerability.
func Maintenance(title string) bool {
	title = strings.ToLower(title)
	for _, s := range []string{
		"regression", "end of life", "end-of-life", "end of support", "new timezone database", "new time zone database", "new upstream version", "new upstream release",
		"bugfix update", "bug fix update", "database update", "version number correction", "new package", "crash fix", "functional update", "enhancement update",
	} {
		if strings.Contains(title, s) {
			return true
		}
	}
	return false
}
