package cli

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// A table is printed with its columns aligned, in plain text. An empty cell is a dash, so that each line has as many
// words as there are columns, unless a cell has several.
type table struct {
	rows [][]string
}

func newTable(head ...string) *table { return &table{rows: [][]string{head}} }

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// print writes the table; where there is nothing but the head it says so instead.
func (t *table) print(w io.Writer, nothing string) {
	if len(t.rows) == 1 {
		fmt.Fprintln(w, nothing)
		return
	}
	widths := make([]int, len(t.rows[0]))
	for _, row := range t.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), 1)
		}
	}
	for _, row := range t.rows {
		fmt.Fprintln(w, line(row, widths))
	}
}

// line puts cells into columns; the last one is not padded.
func line(cells []string, widths []int) string {
	var b strings.Builder
	for i, cell := range cells {
		if cell == "" {
			cell = "-"
		}
		b.WriteString(cell)
		if i < len(cells)-1 {
			b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
		}
	}
	return b.String()
}

// A fact is a line of what is told of one object.
type fact struct{ name, value string }

// printFacts prints facts with their values aligned; those without a value are left out. Further lines of a value are
// aligned with the first.
func printFacts(w io.Writer, facts []fact) {
	width := 0
	for _, f := range facts {
		if f.value != "" {
			width = max(width, len(f.name))
		}
	}
	indent := "\n" + strings.Repeat(" ", width+2)
	for _, f := range facts {
		if f.value != "" {
			fmt.Fprintf(w, "%-*s  %s\n", width, f.name, strings.ReplaceAll(f.value, "\n", indent))
		}
	}
}

// ago says how long ago a time is: "3m ago".
func ago(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	if d := time.Since(t); d >= time.Second {
		return span(d) + " ago"
	}
	return "just now"
}

// span writes a time in its one largest unit.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/day)
}
