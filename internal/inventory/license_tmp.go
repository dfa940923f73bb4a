package inventory

func normalizeLicense(raw string) (string, bool) { return "", false }
