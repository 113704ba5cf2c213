package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestOrigin(t *testing.T) {
	server := httptest.NewServer(handler("a"))
	defer server.Close()
	for path, want := range map[string]struct {
		status int
		body   string
	}{
		"/":            {200, "a\n"},
		"/any/path":    {200, "a\n"},
		"/healthz":     {200, "ok\n"},
		"/slow?ms=1":   {200, "a\n"},
		"/status/503":  {503, "503 Service Unavailable\n"},
		"/status/204":  {204, ""},
		"/status/1000": {400, "want a status from 200 to 599\n"},
	} {
		resp, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != want.status || string(body) != want.body || resp.Header.Get("X-Origin") != "a" {
			t.Errorf("%s: %d %q (%v), want %d %q", path, resp.StatusCode, body, err, want.status, want.body)
		}
	}
}

func TestEcho(t *testing.T) {
	rec := httptest.NewRecorder()
	handler("a").ServeHTTP(rec, httptest.NewRequest(http.MethodPut, "http://shop.example.com/echo?q=1", http.NoBody))
	var got echoed
	if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Origin != "a" || got.Method != http.MethodPut || got.Host != "shop.example.com" || got.Query != "q=1" {
		t.Errorf("%+v", got)
	}
}

func TestStream(t *testing.T) {
	server := httptest.NewServer(handler("a"))
	defer server.Close()
	resp, err := http.Get(server.URL + "/stream?ms=1")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for _, want := range []string{"data: a 1", "", "data: a 2"} {
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("got %q, want %q", lines.Text(), want)
		}
	}
}

func TestRunStops(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := run(ctx, "127.0.0.1:0", "a"); err != nil {
		t.Error(err)
	}
}
