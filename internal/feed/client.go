package feed

import "net/http"

// Client downloads. The zero value works.
type Client struct {
	HTTP *http.Client
}
