// Command load tells what a request costs: it sends the same load through the gateway and through a bare
// httputil.ReverseProxy, by turns in one run, and compares the processor time of the two processes.
//
//	go run ./load --binary ../bin/sallyport
package main

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"time"
)

// body is what the origin answers.
const body = "an answer of sixty-four bytes, which is about what an API sends.\n"

func main() {
	switch {
	case len(os.Args) == 2 && os.Args[1] == "origin":
		exit(http.ListenAndServe(os.Getenv("ADDRESS"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(body))
		})))
	case len(os.Args) == 2 && os.Args[1] == "proxy":
		exit(http.ListenAndServe(os.Getenv("ADDRESS"), bareProxy(os.Getenv("ORIGIN"))))
	}
	s := settings{}
	flag.StringVar(&s.binary, "binary", "../bin/sallyport", "the gateway")
	flag.IntVar(&s.connections, "connections", 32, "how many clients there are, each with a connection of its own")
	flag.IntVar(&s.requests, "requests", 50_000, "how many requests there are in a turn")
	flag.IntVar(&s.turns, "turns", 5, "how many turns each proxy has")
	flag.Parse()
	exit(compare(s))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// bareProxy is the standard library's proxy, with a pool that is large enough.
func bareProxy(origin string) http.Handler {
	tr := http.DefaultTransport.(*http.Transport).Clone()
	tr.MaxIdleConns, tr.MaxIdleConnsPerHost = 0, 1000
	return &httputil.ReverseProxy{Transport: tr, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: origin})
		r.SetXForwarded()
	}}
}

// settings are how much load there is.
type settings struct {
	binary                       string
	connections, requests, turns int
}

// compare runs the turns and prints the result.
func compare(s settings) error {
	st, err := newStage(s.binary)
	if err != nil {
		return err
	}
	defer st.close()
	for _, r := range st.rivals { // connections are made and code is warm before anything is measured
		if _, err := send(r.address, s.connections, s.requests/5); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	for range s.turns {
		for _, r := range st.rivals {
			before, err := r.process.cpu()
			if err != nil {
				return err
			}
			took, err := send(r.address, s.connections, s.requests)
			if err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			after, err := r.process.cpu()
			if err != nil {
				return err
			}
			r.cpu += after - before
			r.took += took
		}
	}
	st.print(s)
	return nil
}

func (st *stage) print(s settings) {
	n := s.requests * s.turns
	bare := st.rivals[0]
	fmt.Printf("%d requests to each, over %d connections\n\n%-34s %14s %14s %8s\n", n, s.connections, "", "CPU s/million", "requests/s", "ratio")
	for _, r := range st.rivals {
		perMillion := r.cpu.Seconds() / float64(n) * 1e6
		fmt.Printf("%-34s %14.1f %14.0f %8.2f\n", r.name, perMillion, float64(n)/r.took.Seconds(), float64(r.cpu)/float64(bare.cpu))
	}
}

// A rival is a proxy under load.
type rival struct {
	name      string
	address   string
	process   *process
	cpu, took time.Duration
}
