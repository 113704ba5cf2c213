package cert_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynched/api-gateway/internal/cert"
)

// run runs the set until the test ends.
func run(t *testing.T, s *cert.Set) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// current returns the serial number of the first certificate.
func current(s *cert.Set) *big.Int {
	c, _ := s.GetCertificate(&tls.ClientHelloInfo{})
	return c.Leaf.SerialNumber
}

// become waits until the certificate is the one wanted; the file system gives no bubble to wait in.
func become(t *testing.T, s *cert.Set, want *issued) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); current(s).Cmp(want.leaf.SerialNumber) != 0; {
		if time.Now().After(deadline) {
			t.Fatal("the new certificate is not taken up")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// slowly makes sure that what happens was noticed by watching.
func slowly(dir string, j *journal) cert.Options {
	return cert.Options{Certificates: []cert.Files{files(dir, "a")}, Poll: time.Hour, Log: j.log()}
}

func TestWatchReplacedFile(t *testing.T) {
	dir, j := t.TempDir(), &journal{}
	issue(t, nil, []string{"a"}).write(t, files(dir, "a"))
	s := load(t, slowly(dir, j))
	run(t, s)
	time.Sleep(20 * time.Millisecond) // until it watches
	next := issue(t, nil, []string{"a"})
	next.write(t, files(dir, "a.new"))
	for _, ext := range []string{".key", ".pem"} {
		if err := os.Rename(filepath.Join(dir, "a.new"+ext), filepath.Join(dir, "a"+ext)); err != nil {
			t.Fatal(err)
		}
	}
	become(t, s, next)
	if served(t, s, "a").Cmp(next.leaf.SerialNumber) != 0 {
		t.Error("handshakes see the former one")
	}
	if text := j.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "certificate replaced") {
		t.Errorf("log:\n%s", text)
	}
}

// TestWatchSwappedLink replaces files as a Kubernetes secret volume does: a.pem is a link to ..data/a.pem, and ..data a
// link to a directory that is replaced by renaming another link over it.
func TestWatchSwappedLink(t *testing.T) {
	dir, j := t.TempDir(), &journal{}
	link := func(to, from string) {
		t.Helper()
		if err := os.Symlink(to, from); err != nil {
			t.Skip("no symbolic links here: ", err)
		}
	}
	fill := func(version string) *issued {
		i := issue(t, nil, []string{"a"})
		if err := os.Mkdir(filepath.Join(dir, version), 0o755); err != nil {
			t.Fatal(err)
		}
		i.write(t, files(filepath.Join(dir, version), "a"))
		return i
	}
	fill("..1")
	link("..1", filepath.Join(dir, "..data"))
	link("..data/a.pem", filepath.Join(dir, "a.pem"))
	link("..data/a.key", filepath.Join(dir, "a.key"))
	s := load(t, slowly(dir, j))
	run(t, s)
	time.Sleep(20 * time.Millisecond)
	next := fill("..2")
	link("..2", filepath.Join(dir, "..tmp"))
	if err := os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
	become(t, s, next)
}

// blind returns a set that reads its files every minute, to be used in a bubble.
func blind(t *testing.T, o cert.Options) *cert.Set {
	t.Helper()
	o.Poll = time.Minute
	s := load(t, o)
	s.Blind()
	return s
}

// pass lets time go by in a bubble, and what is due be done.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestBrokenFileKeepsTheOldOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, j := t.TempDir(), &journal{}
		// Time in a bubble begins in 2000: the certificates are made inside of it.
		a, b := issue(t, nil, []string{"a"}), issue(t, nil, []string{"b"})
		s := blind(t, cert.Options{
			Certificates: []cert.Files{a.write(t, files(dir, "a")), b.write(t, files(dir, "b"))}, Log: j.log(),
		})
		run(t, s)
		pass(90 * time.Second)
		put(t, files(dir, "a").Cert, []byte("half"))
		next := issue(t, nil, []string{"b"})
		next.write(t, files(dir, "b"))
		pass(10 * time.Minute)
		text := j.String()
		complaint := files(dir, "a").Cert + ": no certificate in it"
		if strings.Count(text, "broken") != 1 || !strings.Contains(text, complaint) {
			t.Errorf("the broken file is not reported once:\n%s", text)
		}
		list := s.List()
		if current(s).Cmp(a.leaf.SerialNumber) != 0 || list[0].Problem == nil || list[0].Problem.Error() != complaint {
			t.Errorf("the old certificate is gone, or its problem is not shown: %v", list[0].Problem)
		}
		if served(t, s, "b").Cmp(next.leaf.SerialNumber) != 0 || list[1].Problem != nil {
			t.Error("the good one beside the broken one is not taken up")
		}
		put(t, files(dir, "a").Cert, a.cert)
		pass(2 * time.Minute)
		if s.List()[0].Problem != nil {
			t.Error("the problem stays although the file is as it was")
		}
		if err := os.Remove(files(dir, "a").Key); err != nil {
			t.Fatal(err)
		}
		pass(2 * time.Minute)
		if !strings.Contains(j.String(), files(dir, "a").Key) || current(s).Cmp(a.leaf.SerialNumber) != 0 {
			t.Errorf("a file that is gone:\n%s", j)
		}
	})
}

func TestClientAuthoritiesReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, j := t.TempDir(), &journal{}
		former, next := issue(t, nil, nil), issue(t, nil, nil)
		ca := filepath.Join(dir, "ca.pem")
		put(t, ca, former.cert)
		f := issue(t, nil, []string{"a"}).write(t, files(dir, "a"))
		s := blind(t, cert.Options{Certificates: []cert.Files{f}, ClientCA: ca, Log: j.log()})
		server := s.Config() // made once, as a listener does
		run(t, s)
		accepted := func(by *issued) bool {
			i := issue(t, by, []string{"client"})
			pair, err := tls.X509KeyPair(i.cert, i.key)
			if err != nil {
				t.Fatal(err)
			}
			_, clientErr, serverErr := shake(t, server, &tls.Config{
				InsecureSkipVerify:   true,
				GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil },
			})
			return clientErr == nil && serverErr == nil
		}
		if !accepted(former) || accepted(next) {
			t.Error("wrong clients are accepted")
		}
		put(t, ca, []byte("half"))
		pass(2 * time.Minute)
		if !accepted(former) || strings.Count(j.String(), ca) != 1 {
			t.Errorf("a broken file took the authorities away:\n%s", j)
		}
		put(t, ca, next.cert)
		pass(2 * time.Minute)
		if accepted(former) || !accepted(next) {
			t.Errorf("the new authorities are not taken up:\n%s", j)
		}
	})
}

func TestExpiry(t *testing.T) {
	const day = 24 * time.Hour
	tests := map[string]struct {
		change change
		want   string
	}{
		"far":         {until(15 * day), ""},
		"soon":        {until(13 * day), "level=WARN msg=\"certificate expires soon\""},
		"over":        {until(-time.Minute), "level=ERROR msg=\"certificate has expired\""},
		"short-lived": {shortLived, ""},
		"early":       {early, "not valid yet"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir, j := t.TempDir(), &journal{}
				f := issue(t, nil, []string{"a"}, spanning, test.change).write(t, files(dir, "a"))
				run(t, blind(t, cert.Options{Certificates: []cert.Files{f}, Log: j.log()}))
				pass(time.Hour)
				text := j.String()
				if test.want == "" && text != "" || !strings.Contains(text, test.want) || strings.Count(text, "\n") > 1 {
					t.Errorf("log: %s", text)
				}
				if test.want != "" && !strings.Contains(text, f.Cert) {
					t.Errorf("the file is not named: %s", text)
				}
				pass(day)
				if got := strings.Count(j.String(), "\n"); test.want != "" && name != "early" && got != 2 {
					t.Errorf("%d reports after a day", got)
				}
			})
		})
	}
}

// spanning makes a certificate that has lived for long.
func spanning(c *x509.Certificate) { c.NotBefore = time.Now().AddDate(-1, 0, 0) }

// shortLived makes one of six days that has four to go.
func shortLived(c *x509.Certificate) {
	c.NotBefore, c.NotAfter = time.Now().AddDate(0, 0, -2), time.Now().AddDate(0, 0, 4)
}

func early(c *x509.Certificate) {
	c.NotBefore, c.NotAfter = time.Now().Add(2*time.Hour), time.Now().AddDate(1, 0, 0)
}
