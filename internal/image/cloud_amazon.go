package image

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
)

// ecrRegion reads the region out of ACCOUNT.dkr.ecr[-fips].REGION.amazonaws.com
// and its relatives; empty for other hosts. The public gallery needs no login.
func ecrRegion(host string) string {
	parts := strings.Split(host, ".")
	if len(parts) < 6 || len(parts[0]) != 12 || strings.Trim(parts[0], "0123456789") != "" ||
		parts[1] != "dkr" || parts[2] != "ecr" && parts[2] != "ecr-fips" || !strings.HasPrefix(parts[4], "amazonaws") {
		return ""
	}
	if strings.Trim(parts[3], "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return ""
	}
	return parts[3]
}

// awsKeys sign requests to AWS.
type awsKeys struct {
	ID     string `json:"AccessKeyId"`
	Secret string `json:"SecretAccessKey"`
	Token  string `json:"Token"` // of temporary keys
}

// amazon gives credentials for ECR, with the keys of the environment.
func (c *cloud) amazon(ctx context.Context, host string) (authn.Authenticator, error) {
	region := ecrRegion(host)
	keys, err := c.awsKeys(ctx, region)
	if err != nil {
		return nil, fmt.Errorf("finding AWS credentials: %w", err)
	}
	if keys.ID == "" {
		return nil, nil
	}
	domain := host[strings.Index(host, "amazonaws"):]
	address := "https://api.ecr." + region + "." + domain + "/"
	if strings.Contains(host, ".ecr-fips.") {
		address = "https://ecr-fips." + region + "." + domain + "/"
	}
	body := []byte("{}")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken")
	keys.sign(req, body, region, "ecr", c.now())
	if req.URL, err = url.Parse(c.at(address)); err != nil {
		return nil, err
	}
	var out struct {
		Data []struct {
			Token string `json:"authorizationToken"`
		} `json:"authorizationData"`
	}
	if err := c.do(req, &out); err != nil {
		return nil, fmt.Errorf("asking ECR for a password: %w", err)
	}
	if len(out.Data) == 0 {
		return nil, errors.New("asking ECR for a password: none in the answer")
	}
	b, err := base64.StdEncoding.DecodeString(out.Data[0].Token)
	user, pass, ok := strings.Cut(string(b), ":")
	if err != nil || !ok {
		return nil, errors.New("asking ECR for a password: unreadable answer")
	}
	return &authn.Basic{Username: user, Password: pass}, nil
}

// awsKeys finds keys in the order of AWS's own tools: environment, web
// identity, the shared credentials file, the container's and the machine's
// role. Profiles that name roles or programs are left to the helper program.
func (c *cloud) awsKeys(ctx context.Context, region string) (awsKeys, error) {
	if k := (awsKeys{c.env("AWS_ACCESS_KEY_ID"), c.env("AWS_SECRET_ACCESS_KEY"), c.env("AWS_SESSION_TOKEN")}); k.ID != "" && k.Secret != "" {
		return k, nil
	}
	if file, role := c.env("AWS_WEB_IDENTITY_TOKEN_FILE"), c.env("AWS_ROLE_ARN"); file != "" && role != "" {
		return c.awsWebIdentity(ctx, file, role, region)
	}
	if k := c.awsSharedFile(); k.ID != "" {
		return k, nil
	}
	if k, ok, err := c.awsContainer(ctx); ok {
		return k, err
	}
	if strings.Contains(c.vendor(), "Amazon EC2") && c.env("AWS_EC2_METADATA_DISABLED") != "true" {
		return c.awsMachine(ctx)
	}
	return awsKeys{}, nil
}

func (c *cloud) awsWebIdentity(ctx context.Context, file, role, region string) (awsKeys, error) {
	token, err := c.file(file)
	if err != nil {
		return awsKeys{}, err
	}
	session := c.env("AWS_ROLE_SESSION_NAME")
	setDefault(&session, "tidewaiter")
	domain := "amazonaws.com"
	if strings.HasPrefix(region, "cn-") {
		domain += ".cn"
	}
	var raw []byte
	err = c.form(ctx, "https://sts."+region+"."+domain+"/", url.Values{
		"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {role},
		"RoleSessionName": {session}, "WebIdentityToken": {strings.TrimSpace(string(token))},
	}, &raw)
	if err != nil {
		return awsKeys{}, err
	}
	var out struct {
		ID     string `xml:"AssumeRoleWithWebIdentityResult>Credentials>AccessKeyId"`
		Secret string `xml:"AssumeRoleWithWebIdentityResult>Credentials>SecretAccessKey"`
		Token  string `xml:"AssumeRoleWithWebIdentityResult>Credentials>SessionToken"`
	}
	if err := xml.Unmarshal(raw, &out); err != nil || out.ID == "" {
		return awsKeys{}, errors.New("unreadable answer of STS")
	}
	return awsKeys(out), nil
}

// awsSharedFile reads the keys of the chosen profile, when it has any.
func (c *cloud) awsSharedFile() awsKeys {
	path, profile := c.env("AWS_SHARED_CREDENTIALS_FILE"), c.env("AWS_PROFILE")
	setDefault(&path, filepath.Join(c.env("HOME"), ".aws/credentials"))
	setDefault(&profile, "default")
	b, err := c.file(path)
	if err != nil || len(b) > maxAuthFile {
		return awsKeys{}
	}
	var k awsKeys
	in := false
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		line := strings.TrimSpace(s.Text())
		if strings.HasPrefix(line, "[") {
			in = strings.TrimSpace(strings.Trim(line, "[]")) == profile
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		if !in {
			continue
		}
		switch value = strings.TrimSpace(value); strings.TrimSpace(key) {
		case "aws_access_key_id":
			k.ID = value
		case "aws_secret_access_key":
			k.Secret = value
		case "aws_session_token":
			k.Token = value
		}
	}
	return k
}

// awsContainer asks for the keys of a task (ECS) or pod (EKS).
func (c *cloud) awsContainer(ctx context.Context) (k awsKeys, ok bool, err error) {
	address := c.env("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	if rel := c.env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); rel != "" {
		address = "http://169.254.170.2" + rel
	}
	if address == "" {
		return k, false, nil
	}
	u, err := url.Parse(address)
	if err != nil {
		return k, true, err
	}
	// Over plain HTTP only hosts that AWS names for it.
	if a, err := netip.ParseAddr(u.Hostname()); u.Scheme != "https" && (err != nil || !a.IsLoopback() &&
		!slices.Contains([]string{"169.254.170.2", "169.254.170.23", "fd00:ec2::23"}, a.String())) {
		return k, true, fmt.Errorf("%s: credentials are not fetched from there over plain HTTP", u.Host)
	}
	token := c.env("AWS_CONTAINER_AUTHORIZATION_TOKEN")
	if f := c.env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); f != "" {
		b, err := c.file(f)
		if err != nil {
			return k, true, err
		}
		token = strings.TrimSpace(string(b))
	}
	header := map[string]string{}
	if token != "" {
		header["Authorization"] = token
	}
	return k, true, c.call(ctx, http.MethodGet, address, header, "", &k)
}

// awsMachine asks version 2 of the metadata service for the machine's role.
func (c *cloud) awsMachine(ctx context.Context) (k awsKeys, err error) {
	const base = "http://169.254.169.254/latest/"
	var token, role []byte
	if err := c.call(ctx, http.MethodPut, base+"api/token", map[string]string{"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": "300"}, "", &token); err != nil {
		return k, err
	}
	header := map[string]string{"X-Aws-Ec2-Metadata-Token": string(token)}
	if err := c.call(ctx, http.MethodGet, base+"meta-data/iam/security-credentials/", header, "", &role); err != nil {
		return k, err
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(role)), "\n")
	return k, c.call(ctx, http.MethodGet, base+"meta-data/iam/security-credentials/"+url.PathEscape(first), header, "", &k)
}

// sign adds a signature, version 4, over the host, the headers set so far and
// the body. The path must be plain and the query empty.
func (k awsKeys) sign(req *http.Request, body []byte, region, service string, now time.Time) {
	stamp := now.UTC().Format("20060102T150405Z")
	req.Header.Set("X-Amz-Date", stamp)
	if k.Token != "" {
		req.Header.Set("X-Amz-Security-Token", k.Token)
	}
	headers := map[string]string{"host": req.URL.Host}
	for name := range req.Header {
		headers[strings.ToLower(name)] = strings.TrimSpace(req.Header.Get(name))
	}
	names := make([]string, 0, len(headers))
	for n := range headers {
		names = append(names, n)
	}
	slices.Sort(names)
	var canonical strings.Builder
	fmt.Fprintf(&canonical, "%s\n%s\n\n", req.Method, req.URL.EscapedPath())
	for _, n := range names {
		fmt.Fprintf(&canonical, "%s:%s\n", n, headers[n])
	}
	signed := strings.Join(names, ";")
	fmt.Fprintf(&canonical, "\n%s\n%x", signed, sha256.Sum256(body))

	scope := stamp[:8] + "/" + region + "/" + service + "/aws4_request"
	text := fmt.Sprintf("AWS4-HMAC-SHA256\n%s\n%s\n%x", stamp, scope, sha256.Sum256([]byte(canonical.String())))
	key := []byte("AWS4" + k.Secret)
	for _, part := range []string{stamp[:8], region, service, "aws4_request", text} {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(part))
		key = h.Sum(nil)
	}
	req.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
		k.ID, scope, signed, hex.EncodeToString(key)))
}
