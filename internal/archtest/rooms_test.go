package archtest_test

import (
	"strings"
	"testing"
)

// rooms are the packages by layer. A room imports only rooms of lower layers; what lies in a directory below a room and
// is not in the table belongs to it. It is the table of docs/architecture.md: change both in the commit that changes the
// code.
func rooms() map[string]int {
	return map[string]int{
		"examples":          12,
		"internal/archtest": 12,
		"internal/gen":      12,

		"cmd/sallyport": 11,

		".": 10,

		"internal/cli": 9,

		"internal/daemon": 8,

		"internal/admin": 7,

		"internal/edge":    6,
		"internal/control": 6,

		"internal/snapshot": 5,
		"internal/registry": 5,
		"internal/health":   5,

		"internal/route":    4,
		"internal/upstream": 4,
		"internal/store":    4,
		"internal/cert":     4,
		"client":            4,

		"config":            3,
		"filters":           3,
		"filter/filtertest": 3,
		"internal/tail":     3,

		"filter":             2,
		"internal/accesslog": 2,
		"internal/errorpage": 2,

		"exchange": 1,

		"spec":               0,
		"internal/http1":     0,
		"internal/httpcache": 0,
		"internal/limit":     0,
		"internal/faulty":    0,
		"internal/frames":    0,
		"internal/lease":     0,
		"internal/listen":    0,
		"internal/metric":    0,
		"internal/objects":   0,
		"internal/overload":  0,
		"internal/version":   0,
		"internal/watch":     0,
	}
}

// roomOf returns the room that a directory of the module belongs to, "" if it is in none.
func roomOf(dir string) string {
	for {
		if _, ok := rooms()[dir]; ok {
			return dir
		}
		i := strings.LastIndexByte(dir, '/')
		if i < 0 {
			return ""
		}
		dir = dir[:i]
	}
}

func TestRoomsImportOnlyLowerOnes(t *testing.T) {
	layers := rooms()
	for _, f := range sources(t, func(f *source) bool { return !f.test }) {
		room := roomOf(f.dir)
		if room == "" {
			t.Errorf("%s is in no room: give its package a layer in the table", f.path)
			continue
		}
		for _, name := range f.imports() {
			other := imported(name)
			if other == "" || other == room {
				continue
			}
			if layers[other] >= layers[room] {
				t.Errorf("%s: %s (layer %d) imports %s (layer %d)", f.path, room, layers[room], other, layers[other])
			}
		}
	}
}

// imported returns the room of an import, "" for what is not of this module.
func imported(name string) string {
	switch dir, ours := strings.CutPrefix(name, module+"/"); {
	case ours:
		return roomOf(dir)
	case name == module:
		return "."
	}
	return ""
}

// The test above must be able to fail.
func TestRoomOf(t *testing.T) {
	for dir, want := range map[string]string{
		".": ".", "spec/specdoc": "spec", "filter": "filter", "filter/filtertest": "filter/filtertest",
		"internal/store/storetest": "internal/store", "internal/nowhere": "", "nowhere": "", "examples/demo": "examples",
	} {
		if got := roomOf(dir); got != want {
			t.Errorf("%s is of the room %q, want %q", dir, got, want)
		}
	}
	if imported(module) != "." || imported(module+"/config") != "config" || imported("net/http") != "" {
		t.Error("imports are taken for what they are not")
	}
}
