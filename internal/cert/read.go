package cert

import (
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
)

// A pair is one certificate and what was read last from its files.
type pair struct {
	files   Files
	cert    *tls.Certificate // the last good one
	sum     [sha256.Size]byte
	problem error // why what is in the files now is not cert
}

// readPair reads the files of a pair. If they hold what former was made of, it is returned as it is.
func readPair(files Files, former pair) (pair, error) {
	chain, err := os.ReadFile(files.Cert)
	if err != nil {
		return former, err
	}
	key, err := os.ReadFile(files.Key)
	if err != nil {
		return former, err
	}
	sum := sha256.Sum256(append(append(chain[:len(chain):len(chain)], 0), key...))
	if former.cert != nil && sum == former.sum {
		former.problem = nil
		return former, nil
	}
	c := &tls.Certificate{}
	if c.Certificate, c.Leaf, err = parseChain(chain); err != nil {
		return former, fmt.Errorf("%s: %w", files.Cert, err)
	}
	private, err := parseKey(key)
	if err != nil {
		return former, fmt.Errorf("%s: %w", files.Key, err)
	}
	public, ok := private.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(c.Leaf.PublicKey) {
		return former, fmt.Errorf("%s: does not belong to %s", files.Key, files.Cert)
	}
	c.PrivateKey = private
	return pair{files: files, cert: c, sum: sum}, nil
}

// parseChain returns the certificates of a PEM file, the first one parsed.
func parseChain(text []byte) (chain [][]byte, leaf *x509.Certificate, err error) {
	seen := ""
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		seen = block.Type
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, nil, fmt.Errorf("certificate %d: %w", len(chain)+1, err)
		}
		if leaf == nil {
			leaf = c
		}
		chain = append(chain, block.Bytes)
	}
	if leaf == nil {
		return nil, nil, nothing("certificate", seen)
	}
	return chain, leaf, nil
}

// parseKey returns the first private key of a PEM file.
func parseKey(text []byte) (crypto.Signer, error) {
	seen := ""
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		seen = block.Type
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
			return nil, errors.New("the private key is encrypted; store it without a passphrase")
		case block.Type == "PRIVATE KEY" || strings.HasSuffix(block.Type, " PRIVATE KEY"):
			return parsePrivate(block.Bytes)
		}
	}
	return nil, nothing("private key", seen)
}

func parsePrivate(der []byte) (crypto.Signer, error) {
	if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return k, nil
	}
	if k, err := x509.ParseECPrivateKey(der); err == nil {
		return k, nil
	}
	k, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	signer, ok := k.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("private key: a %T cannot sign", k)
	}
	return signer, nil
}

// nothing is the error for a file that holds something else than what is looked for, or nothing in PEM.
func nothing(wanted, seen string) error {
	if seen == "" {
		return fmt.Errorf("no %s in it", wanted)
	}
	return fmt.Errorf("no %s in it, but a %s", wanted, strings.ToLower(seen))
}

// authorities are those who may sign the certificates of clients.
type authorities struct {
	pool    *x509.CertPool // nil if clients need no certificate
	sum     [sha256.Size]byte
	problem error
}

// readAuthorities reads the file, if there is one. If it holds what former was made of, that is returned.
func readAuthorities(file string, former authorities) (authorities, error) {
	if file == "" {
		return former, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return former, err
	}
	sum := sha256.Sum256(text)
	if former.pool != nil && sum == former.sum {
		former.problem = nil
		return former, nil
	}
	chain, _, err := parseChain(text)
	if err != nil {
		return former, fmt.Errorf("%s: %w", file, err)
	}
	pool := x509.NewCertPool()
	for _, der := range chain {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return former, fmt.Errorf("%s: %w", file, err)
		}
		pool.AddCert(c)
	}
	return authorities{pool: pool, sum: sum}, nil
}
