package snapshot

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/errorpage"
	"github.com/asynched/api-gateway/spec"
)

// pages are the error pages of a snapshot.
type pages struct {
	files map[string][sha256.Size]byte
	all   *errorpage.Set            // for everything
	route map[string]*errorpage.Set // of routes with pages of their own, followed by those for everything
}

// ErrorPages returns the pages for an error of the exchange; nil if there are none.
func (s *Snapshot) ErrorPages(x *exchange.Exchange) *errorpage.Set {
	if x.Destination == nil { // a registered host may have the name of a route
		if own := s.pages.route[x.Route]; own != nil {
			return own
		}
	}
	return s.pages.all
}

// PageFiles returns the files that the error pages were read from, and the sum of what each held. The map is not to be
// changed.
func (s *Snapshot) PageFiles() map[string][sha256.Size]byte { return s.pages.files }

// PageSum returns the sum of what a file holds now, zero if it cannot be read.
func PageSum(file string) [sha256.Size]byte {
	text, err := readPage(file)
	if err != nil {
		return [sha256.Size]byte{}
	}
	return sha256.Sum256([]byte(text))
}

// A pageBuilder compiles error pages, each text once, however many routes have it.
type pageBuilder struct {
	*builder
	texts  map[string]string          // by file
	done   map[string]*errorpage.Page // by media type and text
	broken map[string]bool            // files that have been reported
}

// buildPages compiles the error pages of everything and of each route.
func (b *builder) buildPages() {
	p := &pageBuilder{b, make(map[string]string), make(map[string]*errorpage.Page), make(map[string]bool)}
	c := b.doc.Config
	global := p.list("errors.pages", c.Errors.Pages)
	b.snap.pages.all = errorpage.NewSet(b.env.Log, global...)
	b.snap.pages.route = make(map[string]*errorpage.Set)
	for _, name := range sortedKeys(c.Routes) {
		r := c.Routes[name]
		if r.Errors == nil || len(r.Errors.Pages) == 0 {
			continue
		}
		own := p.list(spec.Key("routes", name)+".errors.pages", r.Errors.Pages)
		b.snap.pages.route[name] = errorpage.NewSet(b.env.Log.With("route", name), append(own, global...)...)
	}
	b.snap.pages.files = make(map[string][sha256.Size]byte, len(p.texts))
	for file, text := range p.texts {
		b.snap.pages.files[file] = sha256.Sum256([]byte(text))
	}
}

// list compiles the pages of one list.
func (b *pageBuilder) list(at string, configured []config.ErrorPage) []*errorpage.Page {
	var list []*errorpage.Page
	for i := range configured {
		if p := b.page(spec.Index(at, i), &configured[i]); p != nil {
			list = append(list, p)
		}
	}
	return list
}

// page compiles one page, nil after an error.
func (b *pageBuilder) page(at string, c *config.ErrorPage) *errorpage.Page {
	text, ok := b.text(at, c)
	if !ok {
		return nil
	}
	o := errorpage.Options{
		Statuses: statuses(c.Statuses), Type: c.MediaType(), Text: text, Default: c.Default, Name: at,
		Reasons: make([]exchange.Reason, len(c.Reasons)),
	}
	for i, reason := range c.Reasons {
		o.Reasons[i] = exchange.Reason(reason)
	}
	if len(c.Headers) > 0 {
		o.Header = make(http.Header, len(c.Headers))
		for name, value := range c.Headers {
			o.Header.Set(name, value)
		}
	}
	key := strings.Join(append([]string{o.Type, fmt.Sprint(c.Statuses)}, append(c.Reasons, text)...), "\x00")
	if same := b.done[key]; same != nil {
		return same.As(o)
	}
	p, err := errorpage.Compile(o)
	if err != nil {
		b.misprint(at, c, err)
		return nil
	}
	b.done[key] = p
	return p
}

// text returns the template of a page.
func (b *pageBuilder) text(at string, c *config.ErrorPage) (text string, ok bool) {
	if c.File == "" {
		return c.Body, true
	}
	if b.doc.Owner(at+".file") == config.OwnerAPI {
		return "", false // refused already, and not to be read for what the error would tell
	}
	if text, ok = b.texts[c.File]; ok || b.broken[c.File] {
		return text, ok
	}
	text, err := readPage(c.File)
	if err != nil {
		b.broken[c.File] = true
		b.fail(at+".file", err)
		return "", false
	}
	b.texts[c.File] = text
	return text, true
}

// misprint reports what is wrong with a template: at its place in the file that holds it, or within the configuration.
func (b *pageBuilder) misprint(at string, c *config.ErrorPage, err error) {
	var wrong *errorpage.Error
	if !errors.As(err, &wrong) {
		b.fail(at, err)
		return
	}
	if c.File != "" {
		b.errs = append(b.errs, &spec.Error{
			Pos: spec.Pos{File: c.File, Line: wrong.Line, Col: wrong.Col}, Path: at + ".file", Msg: wrong.Msg,
		})
		return
	}
	path := at + ".body" // where a line of it stands depends on how it is written
	b.errs = append(b.errs, &spec.Error{
		Pos: b.doc.Where(path), Path: path, Msg: fmt.Sprintf("line %d, column %d: %s", wrong.Line, wrong.Col, wrong.Msg),
	})
}

// readPage reads a file of bounded size. What is no file in the strict sense might never end.
func readPage(file string) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", pathError(file, err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a file", file)
	}
	f, err := os.Open(file)
	if err != nil {
		return "", pathError(file, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, errorpage.MaxText+1))
	switch {
	case err != nil:
		return "", pathError(file, err)
	case len(text) > errorpage.MaxText:
		return "", fmt.Errorf("%s is larger than %d MiB", file, errorpage.MaxText>>20)
	}
	return string(text), nil
}

// pathError names the file once.
func pathError(file string, err error) error {
	var named *fs.PathError
	if errors.As(err, &named) {
		err = named.Err
	}
	return fmt.Errorf("cannot read %s: %w", file, err)
}

// intercept puts what intercepts errors of instances around the way of a route, if anything is to be. own is what the
// route says, nil if it says nothing.
func (b *builder) intercept(own *config.Errors, next exchange.Handler) exchange.Handler {
	list := b.doc.Config.Errors.Intercept
	if own != nil && own.Intercept != nil {
		list = own.Intercept
	}
	if len(list) == 0 || next == nil {
		return next
	}
	words := make([]string, len(list))
	for i, s := range list {
		words[i] = s.String()
	}
	return errorpage.Intercept(statuses(list), strings.Join(words, ", "), next)
}

func statuses(list []config.ErrorStatuses) (set errorpage.Statuses) {
	for _, s := range list {
		set.Add(s.From, s.To)
	}
	return set
}
