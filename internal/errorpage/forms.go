package errorpage

import (
	"encoding/json"
	"html"
	"strconv"
)

// The built-in forms.
const (
	problemType = "application/problem+json"
	htmlType    = "text/html"
	plainType   = "text/plain"
)

// builtins are the built-in forms as offers.
func builtins() [3]offer {
	return [3]offer{
		{media: problemType, rank: rankProblem}, {media: htmlType, rank: rankHTML}, {media: plainType, rank: rankPlain},
	}
}

// builtin writes the error in a built-in form.
func (o *offer) builtin(f *Facts) Answer {
	switch o.media {
	case htmlType:
		return Answer{Type: htmlType + "; charset=utf-8", Body: htmlForm(f)}
	case plainType:
		return Answer{Type: plainType + "; charset=utf-8", Body: plainForm(f)}
	}
	return Answer{Type: problemType, Body: problemForm(f)}
}

// problem is the body of an error (RFC 9457).
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Reason    string `json:"reason"`
	RequestID string `json:"request_id"`
}

func problemForm(f *Facts) []byte {
	text, err := json.Marshal(problem{f.Type, f.Title, f.Status, f.Detail, f.Reason, f.RequestID})
	if err != nil { // strings and numbers always have a JSON form
		text = []byte("{}")
	}
	return append(text, '\n')
}

func plainForm(f *Facts) []byte {
	return []byte(strconv.Itoa(f.Status) + " " + f.Title + ": " + f.Detail + "\nreason: " + f.Reason + "\nrequest id: " + f.RequestID + "\n")
}

func htmlForm(f *Facts) []byte {
	title := html.EscapeString(strconv.Itoa(f.Status) + " " + f.Title)
	return []byte("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>" + title + "</title>" +
		"<meta name=\"viewport\" content=\"width=device-width\"><style>body{font:16px/1.5 system-ui,sans-serif;" +
		"max-width:36em;margin:15vh auto;padding:0 1em;color:#222}h1{font-size:1.4em}small{color:#666}</style></head>\n" +
		"<body><h1>" + title + "</h1><p>" + html.EscapeString(f.Detail) + "</p><p><small>reason " +
		html.EscapeString(f.Reason) + " · request " + html.EscapeString(f.RequestID) + "</small></p></body></html>\n")
}
