package config

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/asynched/api-gateway/spec"
)

// Check reports a route that does not go to exactly one place, and destinations that are malformed.
func (r *Route) Check(c *spec.Checks) {
	var ways []string
	for name, given := range map[string]bool{
		"service": r.Service != "", "services": len(r.Services) > 0, "redirect": r.Redirect != nil, "respond": r.Respond != nil,
	} {
		if given {
			ways = append(ways, name)
		}
	}
	switch len(ways) {
	case 0:
		if !c.OK("service", "services", "redirect", "respond") {
			break
		}
		c.Errorf("", "goes nowhere: want one of service, services, redirect, respond")
	case 1:
	default:
		c.Errorf("", "goes to several places: want only one of service, services, redirect, respond")
	}
	sum := 0
	for i, s := range r.Services {
		sum += s.Weight
		for j := range i {
			if r.Services[j].Name == s.Name {
				c.Errorf(spec.Index("services", i)+".name", "%s is services[%d] already", s.Name, j)
			}
		}
	}
	if len(r.Services) > 0 && sum == 0 {
		c.Errorf("services", "all weights are 0: nothing would get a request")
	}
	if r.Redirect != nil {
		r.Redirect.check(c, r.Match.Paths)
	}
	if r.Respond != nil {
		checkHeaders(c, "respond.headers", r.Respond.Headers)
		if s := r.Respond.Status; (s == 204 || s == 304) && r.Respond.Body != "" {
			c.Errorf("respond.body", "an answer with status %d has no body", s)
		}
	}
}

var placeholder = regexp.MustCompile(`\{([^{}]*)\}`)

// check reports placeholders that nothing fills and a target that is no URL.
func (r *Redirect) check(c *spec.Checks, paths []string) {
	known := []string{"scheme", "host", "path", "query"}
	for _, p := range paths {
		if strings.HasPrefix(p, "/") {
			for _, m := range placeholder.FindAllStringSubmatch(p, -1) {
				known = append(known, m[1])
			}
		}
	}
	for _, m := range placeholder.FindAllStringSubmatch(r.To, -1) {
		if !slices.Contains(known, m[1]) {
			c.Errorf("redirect.to", "nothing fills {%s}: want one of {%s}", m[1], strings.Join(known, "}, {"))
		}
	}
	bare := placeholder.ReplaceAllString(r.To, "x")
	if strings.ContainsAny(bare, "{} \t\r\n") {
		c.Errorf("redirect.to", "%q is not a URL", r.To)
		return
	}
	if u, err := url.Parse(bare); err != nil || u.Scheme == "" && !strings.HasPrefix(bare, "/") && !strings.HasPrefix(r.To, "{path}") {
		c.Errorf("redirect.to", "%q is neither a URL with a scheme nor a path", r.To)
	}
}

// check reports what is wrong between objects: names that refer to nothing, addresses used twice.
func (d *Document) check() spec.Errors {
	var errs spec.Errors
	fail := func(path, format string, args ...any) {
		errs = append(errs, &spec.Error{Pos: d.Where(path), Path: path, Msg: fmt.Sprintf(format, args...)})
	}
	c := d.Config
	if len(c.Defaults.Service.Instances) > 0 {
		fail("defaults.service.instances", "instances belong to a service, not to the defaults")
	}
	names := sortedKeys(c.Services)
	reference := func(path, name string) {
		if _, ok := c.Services[name]; !ok && name != "" {
			fail(path, "there is no service %q%s", name, spec.DidYouMean(name, names))
		}
	}
	for _, name := range sortedKeys(c.Routes) {
		at, r := spec.Key("routes", name), c.Routes[name]
		reference(at+".service", r.Service)
		for i, s := range r.Services {
			reference(spec.Index(at+".services", i)+".name", s.Name)
		}
	}
	addresses := map[string]string{c.Admin.Address: "admin.address"}
	for _, name := range sortedKeys(c.Listeners) {
		at := spec.Key("listeners", name) + ".address"
		address := c.Listeners[name].Address
		if other, twice := addresses[address]; twice && address != "" && !strings.HasSuffix(address, ":0") { // port 0 is another one each time
			fail(at, "%s is %s already", address, other)
		}
		addresses[address] = at
	}
	return errs
}
