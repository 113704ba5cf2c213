package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/asynched/api-gateway/client"
)

// What a terminal is told: to change to a screen of its own without a cursor, and back; to go to the first place; to
// forget the rest of the line, and of the screen.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l"
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	goHome      = "\x1b[H"
	clearLine   = "\x1b[K"
	clearRest   = "\x1b[J"
)

// soon is how long the first view takes: nobody wants to look at nothing for a whole interval.
const soon = 500 * time.Millisecond

// A screen shows a view that is renewed, on a terminal.
type screen struct {
	out, in *os.File
	paint   paint
}

// show renews the view until somebody ends it. What was on the terminal before is there again then.
func (s *screen) show(ctx context.Context, last *poll, o *top, c *client.Client) error {
	ctx, quit := context.WithCancel(ctx)
	var keys sync.WaitGroup
	defer keys.Wait()
	defer quit()
	if undo, err := singleKeys(s.in); err == nil {
		defer undo()
		keys.Go(func() { s.awaitQuit(ctx, quit) })
	}
	if _, err := io.WriteString(s.out, enterScreen); err != nil {
		return err
	}
	defer func() { _, _ = io.WriteString(s.out, leaveScreen) }()
	resized := make(chan os.Signal, 1)
	defer onResize(resized)()
	v, trouble := newView(last, last, o), "" // nothing has happened yet
	next := time.NewTimer(min(o.interval, soon))
	defer next.Stop()
	for {
		if err := s.draw(v, trouble); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-resized:
		case <-next.C:
			now, err := o.ask(ctx, c)
			if err == nil {
				v, last, trouble = newView(last, now, o), now, ""
			} else {
				trouble = strings.ReplaceAll(callError(c.Address(), err).Error(), "\n", ": ")
			}
			next.Reset(o.interval)
		}
	}
}

// awaitQuit ends the view when q is pressed.
func (s *screen) awaitQuit(ctx context.Context, quit func()) {
	key := make([]byte, 16)
	for ctx.Err() == nil {
		n, err := s.in.Read(key) // comes back soon, with nothing and io.EOF
		if err != nil && err != io.EOF {
			return
		}
		if strings.ContainsAny(string(key[:n]), "qQ") {
			quit()
		}
	}
}

// draw writes the view over what is there.
func (s *screen) draw(v *view, trouble string) error {
	columns, rows, ok := terminalSize(s.out)
	if !ok || columns < 1 || rows < 1 {
		columns, rows = 80, 24
	}
	var b strings.Builder
	b.WriteString(goHome)
	for n, line := range s.lines(v, trouble, rows-1) {
		if n > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(s.paint.in(line.colour, cut(line.text, columns)) + clearLine)
	}
	b.WriteString(clearRest)
	_, err := io.WriteString(s.out, b.String())
	return err
}

// A row is a line of the screen.
type row struct{ text, colour string }

// lines are what there is to see, as many as there is room for.
func (s *screen) lines(v *view, trouble string, room int) []row {
	lines := []row{{v.summary(), bold}, {trouble, red}}
	var text strings.Builder
	v.table().print(&text, "no service has had any request")
	colours := append([]string{faint}, v.colours()...)
	for n, line := range strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n") {
		lines = append(lines, row{line, colours[min(n, len(colours)-1)]})
	}
	if len(lines) > room && room > 2 {
		hidden := len(lines) - room + 1
		lines = append(lines[:room-1], row{fmt.Sprintf("… and %d more lines: --service or -n shows less", hidden), faint})
	}
	return lines
}

// colours are those of the lines of the table, without its head: what needs to be looked at stands out.
func (v *view) colours() []string {
	var all []string
	of := func(r *rates, bad bool, otherwise string) string {
		switch {
		case bad || r.Failures > 0:
			return red
		case r.Errors > 0:
			return yellow
		}
		return otherwise
	}
	for i := range v.Services {
		s := &v.Services[i]
		all = append(all, of(&s.rates, s.Breaker == "open" || s.Eligible == 0 && len(s.Instances) > 0, bold))
		for n := range s.Instances {
			in := &s.Instances[n]
			all = append(all, of(&in.rates, strings.Contains(in.State, "unhealthy") || strings.Contains(in.State, "ejected"), ""))
		}
	}
	return all
}

// cut shortens a text to that many characters.
func cut(text string, columns int) string {
	if utf8.RuneCountInString(text) <= columns {
		return text
	}
	return string([]rune(text)[:columns])
}
