package cli

import (
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/exchange"
)

const (
	fewLosers = 20 // routes that lost, as many as are worth showing unasked
	widest    = 40 // of a column; a longer text sticks out
)

// printExplanation prints the decisions about a request as a person reads them: by stage, each with what it is about,
// the verdict and the reason, and what comes of it at the end.
func (a *app) printExplanation(e *client.Explanation, all bool) {
	fmt.Fprintf(a.out, "%s %s%s\n", e.Method, e.Host, e.Path)
	steps, hidden := e.Steps, 0
	if !all {
		steps, hidden = withoutLosers(steps)
	}
	for len(steps) > 0 {
		stage, n := steps[0].Stage, 1
		for n < len(steps) && steps[n].Stage == stage {
			n++
		}
		a.printStage(stage, steps[:n])
		if steps = steps[n:]; stage == exchange.StageMatch && hidden > 0 {
			fmt.Fprintf(a.out, "  … and %d more that lost: --all shows them\n", hidden)
			hidden = 0
		}
	}
	fmt.Fprintf(a.out, "\n%s\n", outcome(e))
}

func (a *app) printStage(stage exchange.Stage, steps []client.Step) {
	fmt.Fprintf(a.out, "\n%s\n", stage)
	subject, verdict := columns(steps)
	for _, s := range steps {
		text := fmt.Sprintf("  %s  %s  %s", padded(s.Verdict, verdict), padded(s.Subject, subject), s.Why)
		fmt.Fprintln(a.out, strings.TrimRight(text, " "))
	}
}

// withoutLosers leaves out all but a few of the routes that lost, and tells how many.
func withoutLosers(steps []client.Step) (kept []client.Step, hidden int) {
	lost := 0
	for _, s := range steps {
		if s.Stage == exchange.StageMatch && s.Verdict == "lost" {
			if lost++; lost > fewLosers {
				continue
			}
		}
		kept = append(kept, s)
	}
	return kept, max(0, lost-fewLosers)
}

// columns returns how wide the columns of subjects and verdicts are.
func columns(steps []client.Step) (subject, verdict int) {
	for _, s := range steps {
		if n := utf8.RuneCountInString(s.Subject); n <= widest {
			subject = max(subject, n)
		}
		if n := utf8.RuneCountInString(s.Verdict); n <= widest {
			verdict = max(verdict, n)
		}
	}
	return subject, verdict
}

func padded(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}

// outcome says what becomes of the request.
func outcome(e *client.Explanation) string {
	switch {
	case e.Reason != "":
		return fmt.Sprintf("The gateway would answer %d %s: %s.", e.Status, e.Reason, e.Detail)
	case e.Cached:
		return fmt.Sprintf("Route %s would answer %d %s from the cache.", e.Route, e.Status, http.StatusText(e.Status))
	case e.Address == "":
		return fmt.Sprintf("Route %s would answer %d %s by itself.", e.Route, e.Status, http.StatusText(e.Status))
	case e.Instance != e.Address:
		return fmt.Sprintf("Route %s would send it to %s at %s, an instance of service %s.", e.Route, e.Instance, e.Address, e.Service)
	}
	return fmt.Sprintf("Route %s would send it to %s, an instance of service %s.", e.Route, e.Address, e.Service)
}
