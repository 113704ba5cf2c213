package client

import (
	"context"
	"net/http"
	"net/url"
)

// The forms of a configuration that is sent.
const (
	JSON = "application/json"
	YAML = "application/yaml"
)

// Ownership is who owns a part of the configuration.
type Ownership struct {
	// Owner is a file or this API.
	Owner string `json:"owner" required:"true" enum:"file,api"`
	// Where a file declares it: file:line:col.
	Where string `json:"where,omitempty"`
}

// ConfigInfo is a configuration and who owns its parts.
type ConfigInfo struct {
	// Revision counts the configurations that the running gateway has applied, from 1.
	Revision int64 `json:"revision" required:"true"`
	// Config is the configuration: the whole with its defaults, or what this API made. Secrets are not shown.
	Config Value `json:"config" required:"true"`
	// Owners are who owns each object, by its path: services.orders.
	Owners map[string]Ownership `json:"owners" required:"true"`
	// ETag is the entity tag, for Write.Match; it comes in a header.
	ETag string `json:"-"`
}

// Config returns the configuration that is running, all of it, with defaults filled in.
func (c *Client) Config(ctx context.Context) (*ConfigInfo, error) {
	return c.config(ctx, nil)
}

// APIConfig returns the part of the configuration that was made through the API, without defaults.
func (c *Client) APIConfig(ctx context.Context) (*ConfigInfo, error) {
	return c.config(ctx, url.Values{"view": {"api"}})
}

func (c *Client) config(ctx context.Context, query url.Values) (*ConfigInfo, error) {
	info := new(ConfigInfo)
	var err error
	info.ETag, err = c.get(ctx, "/v1/config", query, info)
	return info, err
}

// PutConfig makes text all that the API has configured. kind is JSON or YAML.
func (c *Client) PutConfig(ctx context.Context, text []byte, kind string, w Write) (*Result, error) {
	return c.apply(ctx, http.MethodPut, "/v1/config", text, kind, w)
}

// DiffConfig returns what would change if text were the whole configuration. kind is JSON or YAML.
func (c *Client) DiffConfig(ctx context.Context, text []byte, kind string) (*Result, error) {
	return c.apply(ctx, http.MethodPost, "/v1/config/diff", text, kind, Write{})
}

// Reload makes the gateway read its files again. With DryRun it only says what would change.
func (c *Client) Reload(ctx context.Context, w Write) (*Result, error) {
	return c.apply(ctx, http.MethodPost, "/v1/config/reload", nil, "", w)
}

// Schema returns the JSON Schema of the configuration, filters included.
func (c *Client) Schema(ctx context.Context) ([]byte, error) { return c.text(ctx, "/v1/schema") }

// OpenAPI returns the description of the admin API.
func (c *Client) OpenAPI(ctx context.Context) ([]byte, error) { return c.text(ctx, "/v1/openapi.json") }

func (c *Client) text(ctx context.Context, path string) ([]byte, error) {
	a, err := c.send(ctx, call{method: http.MethodGet, path: path})
	if err != nil {
		return nil, err
	}
	return a.body, nil
}
