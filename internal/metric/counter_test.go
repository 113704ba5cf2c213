package metric_test

import (
	"strings"
	"testing"

	"github.com/asynched/api-gateway/internal/metric"
)

func TestCounter(t *testing.T) {
	s := metric.New("test")
	c, err := s.Counter("mirror_total", "Copies.", "route", "a\xff", "result", "answered")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(scrape(t, s), "mirror_total") {
		t.Error("there is a series before it has counted")
	}
	c.Inc()
	c.Inc()
	if text := scrape(t, s); !strings.Contains(text, "sallyport_mirror_total{result=\"answered\",route=\"a\uFFFD\"} 2\n") {
		t.Error(ours(text))
	}
	if n := testing.AllocsPerRun(100, c.Inc); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	c.Inc() // by an exchange that is late
	if strings.Contains(scrape(t, s), "mirror_total") {
		t.Error("the series outlives its counter")
	}
	if c, err = s.Counter("mirror_total", "Copies.", "route", "b", "result", "answered"); err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	c.Inc()
	if strings.Contains(scrape(t, s), "mirror_total") {
		t.Error("a counter that was closed before it counted has a series")
	}
}

func TestCounterRefuses(t *testing.T) {
	s := metric.New("test")
	if _, err := s.Counter("mirror_total", "Copies.", "route", "a"); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, help string
		labels     []string
		want       string
	}{
		{"mirror_total", "Copies.", []string{"service", "a"}, "it has the labels"},
		{"mirror_total", "Others.", []string{"route", "a"}, "it has the labels"},
		{"mirror", "Copies.", nil, "ends in _total"},
		{"Mirror-x_total", "Copies.", nil, "ends in _total"},
		{"odd_total", "Copies.", []string{"route"}, "has no value"},
		{"twice_total", "Copies.", []string{"route", "a", "route", "b"}, "duplicate"},
		{"label_total", "Copies.", []string{"a-\xffb", "a"}, "not a valid label name"},
		{"requests_total", "Copies.", []string{"route", "a"}, "requests_total"},
	} {
		if _, err := s.Counter(tt.name, tt.help, tt.labels...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
