package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

const request = "GET /api/orders/42 HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: load\r\nAccept: */*\r\n\r\n"

// send sends requests over so many connections and returns how long it took. Any answer but the origin's is an error.
func send(address string, connections, requests int) (time.Duration, error) {
	began := time.Now()
	errs := make([]error, connections)
	var wg sync.WaitGroup
	for i := range connections {
		wg.Go(func() { errs[i] = sendOver(address, requests/connections) })
	}
	wg.Wait()
	return time.Since(began), errors.Join(errs...)
}

func sendOver(address string, requests int) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	r := bufio.NewReader(c)
	for range requests {
		if _, err := io.WriteString(c, request); err != nil {
			return err
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return err
		}
		n, err := io.Copy(io.Discard, resp.Body)
		if err != nil || resp.StatusCode != 200 || n != int64(len(body)) {
			return fmt.Errorf("%s with %d bytes, %w", resp.Status, n, err)
		}
	}
	return nil
}
