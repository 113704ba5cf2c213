package objects

import (
	"fmt"
	"os"
	"testing"
)

func someJournal(t *testing.T, dir string) *journal {
	t.Helper()
	j, _, err := openJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	j.needs = func(*Purge) bool { return true }
	t.Cleanup(func() { _ = j.close() })
	return j
}

// TestJournalTorn: what was acknowledged is read, what was cut off is not, and neither keeps the next from being written.
func TestJournalTorn(t *testing.T) {
	dir := t.TempDir()
	j := someJournal(t, dir)
	for i := range 3 {
		if err := j.keep(pastPurge{Purge{Scope: ByTag, Text: fmt.Sprint(i)}, stamp{uint64(10 + i), 1}}); err != nil {
			t.Fatal(err)
		}
	}
	info, _ := os.Stat(j.path)
	if err := os.Truncate(j.path, info.Size()-1); err != nil {
		t.Fatal(err)
	}
	j = someJournal(t, dir)
	if len(j.known) != 2 {
		t.Errorf("%d purges are known, want 2", len(j.known))
	}
	_ = j.keep(pastPurge{Purge{Scope: ByPrefix, Text: "p"}, stamp{20, 1}})
	j = someJournal(t, dir)
	for _, c := range []struct {
		l    *label
		gone bool
	}{
		{&label{key: "a", tags: []string{"0"}, born: 9}, true},
		{&label{key: "a", tags: []string{"0"}, born: 10}, false},
		{&label{key: "a", tags: []string{"2"}, born: 9}, false},
		{&label{key: "pa", born: 19}, true},
		{&label{key: "a", born: 1}, false},
	} {
		if got := j.judge(c.l); got != c.gone {
			t.Errorf("%+v is gone: %v", c.l.tags, got)
		}
	}
}

// TestJournalExcess: soft purges beyond the limit become hard ones.
func TestJournalExcess(t *testing.T) {
	j := someJournal(t, t.TempDir())
	for i := range maxSoft + 10 {
		j.learn(pastPurge{Purge{ByTag, fmt.Sprint(i), true}, stamp{uint64(i + 1), 1}})
	}
	list := j.excess()
	if len(list) != 10 || list[0].Soft || list[0].seq == 0 {
		t.Errorf("%d: %+v", len(list), list)
	}
}
