package filter_test

import (
	"encoding/json"
	"testing"

	"github.com/asynched/api-gateway/filter"
)

func TestUnreadGoesRound(t *testing.T) {
	const text = `[{"headers":{"set":{"X":"1"}}},{"cors":{}}]`
	var list filter.List
	if err := json.Unmarshal([]byte(`[{"headers":{"set":{"X":"1"}}},"cors"]`), &list); err != nil {
		t.Fatal(err)
	}
	if list[0].Kind != "headers" || list[1].Kind != "cors" {
		t.Fatalf("kinds are %q and %q", list[0].Kind, list[1].Kind)
	}
	back, err := json.Marshal(list)
	if err != nil || string(back) != text {
		t.Fatalf("got %s, %v; want %s", back, err, text)
	}
	if _, err := list[0].Filter.Wrap(nil, nil); err == nil {
		t.Error("an undecoded filter let itself be built")
	}
	for _, bad := range []string{`{}`, `{"a":{},"b":{}}`, `5`} {
		if err := json.Unmarshal([]byte(bad), new(filter.Use)); err == nil {
			t.Errorf("%s was taken for a filter", bad)
		}
	}
}
