package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/asynched/api-gateway/client"
)

// A linePrinter prints requests that have ended.
type linePrinter struct {
	out   io.Writer
	paint paint
	json  bool
}

func (p linePrinter) print(l *client.TailLine) error {
	if p.json {
		_, err := fmt.Fprintf(p.out, "%s\n", l.Raw)
		return err
	}
	_, err := io.WriteString(p.out, p.line(l)+p.steps(l.Steps))
	return err
}

// line tells of a request in one line.
func (p linePrinter) line(l *client.TailLine) string {
	target := l.Host + l.Path
	if l.Query != "" {
		target += "?" + l.Query
	}
	parts := []string{
		p.paint.in(faint, l.Time.Local().Format("15:04:05.000")),
		p.paint.in(statusColour(l.Status), strconv.Itoa(l.Status)),
		orDash(l.Method), harmless(target), p.paint.in(faint, "→"), harmless(servedBy(l)),
		duration(l.Duration),
	}
	if len(l.Phases) > 0 {
		var phases []string
		for _, f := range l.Phases {
			phases = append(phases, f.Name+" "+duration(f.Milliseconds))
		}
		parts = append(parts, p.paint.in(faint, "("+strings.Join(phases, ", ")+")"))
	}
	if l.Attempts > 1 {
		parts = append(parts, fmt.Sprintf("%d attempts", l.Attempts))
	}
	if l.GRPCStatus != nil && *l.GRPCStatus != 0 {
		parts = append(parts, p.paint.in(yellow, fmt.Sprintf("grpc-status %d", *l.GRPCStatus)))
	}
	if l.Cut {
		parts = append(parts, p.paint.in(red, "cut"))
	}
	if l.Reason != "" {
		text := l.Reason + " by " + l.Source
		if l.Error != "" {
			text += ": " + strings.TrimPrefix(l.Error, l.Reason+": ")
		}
		parts = append(parts, p.paint.in(statusColour(l.Status), harmless(text)))
	}
	return strings.Join(parts, " ") + "\n"
}

// steps tells the decisions, each in a line below the request.
func (p linePrinter) steps(steps []client.Step) string {
	if len(steps) == 0 {
		return ""
	}
	var b strings.Builder
	subject, verdict := columns(steps)
	for _, s := range steps {
		text := fmt.Sprintf("    %8s  %-8s  %s  %s  %s", duration(float64(s.At)/float64(time.Millisecond)), s.Stage,
			padded(harmless(s.Verdict), verdict), padded(harmless(s.Subject), subject), harmless(s.Why))
		b.WriteString(p.paint.in(faint, strings.TrimRight(text, " ")) + "\n")
	}
	return b.String()
}

// servedBy says who served a request: the route, and the instance of the service if there was one.
func servedBy(l *client.TailLine) string {
	at := orDash(l.Route)
	if l.Service != "" && l.Service != l.Route {
		at += " " + l.Service
	}
	if l.Address != "" {
		at += " " + l.Address
	}
	return at
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// duration writes milliseconds so that a person can read them.
func duration(ms float64) string {
	switch {
	case ms >= 9999.5:
		return strconv.FormatFloat(ms/1000, 'f', 1, 64) + "s"
	case ms >= 999.5:
		return strconv.FormatFloat(ms/1000, 'f', 2, 64) + "s"
	case ms >= 99.5:
		return strconv.FormatFloat(ms, 'f', 0, 64) + "ms"
	case ms >= 9.95:
		return strconv.FormatFloat(ms, 'f', 1, 64) + "ms"
	}
	return strconv.FormatFloat(ms, 'f', 2, 64) + "ms"
}

func statusColour(status int) string {
	switch {
	case status >= 500:
		return red
	case status >= 400:
		return yellow
	case status >= 300:
		return cyan
	}
	return green
}
