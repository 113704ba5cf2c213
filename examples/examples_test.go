// Package examples_test holds the configurations beside it against the gateway, so that what people copy works.
package examples_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/filters"
	"github.com/asynched/api-gateway/internal/snapshot"
)

func TestConfigurationsAreRight(t *testing.T) {
	names, err := filepath.Glob("*.yaml")
	if err != nil || len(names) < 4 {
		t.Fatalf("found %v (%v)", names, err)
	}
	kinds, err := filter.NewCatalog(filters.All()...)
	if err != nil {
		t.Fatal(err)
	}
	schema := compile(t, kinds)
	dir := t.TempDir()
	writeCertificate(t, dir)
	if err := os.CopyFS(filepath.Join(dir, "pages"), os.DirFS("pages")); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			source, errs := config.Read(path, func(string) (string, bool) { return "", false })
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			if err := schema.Validate(value(t, text)); err != nil {
				t.Errorf("the schema, which editors go by, says: %v", err)
			}
			doc, errs := config.Decode(source.Tree, kinds)
			if errs = snapshot.AllErrors(doc, errs, snapshot.OfflineEnv()); len(errs) > 0 {
				t.Error(errs)
			}
		})
	}
}

// compile returns the schema of a configuration, ready to validate.
func compile(t *testing.T, kinds *filter.Catalog) *jsonschema.Schema {
	t.Helper()
	text, err := json.Marshal(config.Schema(kinds))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// value returns what a YAML file says as a JSON value.
func value(t *testing.T, text []byte) any {
	t.Helper()
	var tree any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// writeCertificate writes cert.pem and key.pem, which the examples name.
func writeCertificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "shop.example.com"}, DNSNames: []string{"shop.example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
