package spec_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/asynched/api-gateway/spec"
)

func BenchmarkDecode(b *testing.B) {
	for _, count := range []int{1_000, 10_000} {
		var text strings.Builder
		text.WriteString("version: 1\nservices:\n")
		for i := range count {
			fmt.Fprintf(&text, "  s%d:\n    address: host%d:80\n", i, i)
			text.WriteString("    timeouts: {connect: 1s, request: 10s}\n    statuses: ['500']\n")
		}
		data := []byte(text.String())
		b.Run(fmt.Sprint("parse/", count), func(b *testing.B) {
			for b.Loop() {
				if _, errs := spec.ParseYAML("f", data); errs != nil {
					b.Fatal(errs)
				}
			}
		})
		n, _ := spec.ParseYAML("f", data)
		b.Run(fmt.Sprint("decode/", count), func(b *testing.B) {
			for b.Loop() {
				s := new(shop)
				if errs := spec.Decode(n, s, spec.Options{}); errs != nil {
					b.Fatal(errs)
				}
			}
		})
	}
}
