package faulty

import (
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http2"
)

// HTTP2 lists the behaviours of an origin that speaks HTTP/2.
func HTTP2() []Behaviour {
	return slices.Concat(sound2(), beforeHead2(), withinBody2(), silent2(), headers2(), frames2(), floods2())
}

// does returns a behaviour that waits for the whole request first.
func does(name, what string, act func(*stream)) Behaviour {
	return Behaviour{Name: name, What: what, http2: func(st *stream) { st.whole(); act(st) }}
}

func (st *stream) answer() { st.begun(); st.data(true, "") }

func sound2() []Behaviour {
	return []Behaviour{
		does("good", "answers as it should", func(st *stream) { st.answer() }),
		does("trickle", "answers one byte at a time", (*stream).slowly),
		does("informs", "sends three interim answers before its own", func(st *stream) {
			for range 3 {
				st.headers(false, ":status", "103", "link", "</a>")
			}
			st.answer()
		}),
		{Name: "early", What: "answers before the request has ended, then RST_STREAM with NO_ERROR", http2: func(st *stream) {
			st.headers(false, ":status", "200", "content-length", length(st.id, 0))
			st.data(true, Body(st.id))
			st.rst(http2.ErrCodeNo)
		}},
		does("go-away-after", "answers, and GOAWAY with the answer", func(st *stream) {
			st.goAway(st.number, http2.ErrCodeNo)
			st.answer()
		}),
		does("rst-after-end", "answers, then RST_STREAM with CANCEL", func(st *stream) { st.answer(); st.rst(http2.ErrCodeCancel) }),
	}
}

func beforeHead2() []Behaviour {
	rst := func(name string, code http2.ErrCode) Behaviour {
		return does(name, "RST_STREAM with "+code.String()+" before the head", func(st *stream) { st.rst(code) })
	}
	return []Behaviour{
		rst("rst-refused", http2.ErrCodeRefusedStream),
		rst("rst-internal", http2.ErrCodeInternal),
		rst("rst-cancel", http2.ErrCodeCancel),
		rst("rst-no-error", http2.ErrCodeNo),
		rst("rst-protocol", http2.ErrCodeProtocol),
		rst("rst-calm", http2.ErrCodeEnhanceYourCalm),
		rst("rst-http11", http2.ErrCodeHTTP11Required),
		does("go-away", "GOAWAY that says the request was not seen", func(st *stream) { st.goAway(0, http2.ErrCodeNo); st.leave() }),
		does("go-away-seen", "GOAWAY that says the request was seen, and closes", func(st *stream) {
			st.goAway(st.number, http2.ErrCodeNo)
			st.leave()
		}),
		does("go-away-error", "GOAWAY with PROTOCOL_ERROR, and closes", func(st *stream) {
			st.goAway(st.number, http2.ErrCodeProtocol)
			st.leave()
		}),
		does("close-before-head", "reads the request and closes", func(st *stream) { st.leave() }),
		does("reset-before-head", "reads the request and resets the connection", func(st *stream) { st.reset() }),
		does("close-in-frame", "closes within the frame of the head", func(st *stream) { st.bytes("\x00\x00\x40\x01\x04\x00"); st.leave() }),
	}
}

func withinBody2() []Behaviour {
	return []Behaviour{
		does("close-after-head", "closes after the head", func(st *stream) { st.headers(false, ":status", "200"); st.leave() }),
		does("close-in-body", "closes within the body", func(st *stream) { st.begun(); st.leave() }),
		does("reset-in-body", "resets the connection within the body", func(st *stream) { st.begun(); st.reset() }),
		does("rst-in-body", "RST_STREAM with INTERNAL_ERROR within the body", func(st *stream) { st.begun(); st.rst(http2.ErrCodeInternal) }),
		does("rst-no-error-in-body", "RST_STREAM with NO_ERROR within the body", func(st *stream) { st.begun(); st.rst(http2.ErrCodeNo) }),
		does("rst-cancel-in-body", "RST_STREAM with CANCEL within a body with a length", func(st *stream) {
			st.begun("content-length", length(st.id, 9))
			st.rst(http2.ErrCodeCancel)
		}),
		does("go-away-in-body", "GOAWAY within the body, and closes", func(st *stream) {
			st.begun()
			st.goAway(st.number, http2.ErrCodeNo)
			st.leave()
		}),
		does("less-than-length", "ends the stream before its length is there", func(st *stream) {
			st.begun("content-length", length(st.id, 9))
			st.data(true, "")
		}),
		does("more-than-length", "sends more than its length says", func(st *stream) {
			st.begun("content-length", length(st.id, -9))
			st.data(true, "more")
		}),
	}
}

func silent2() []Behaviour {
	return []Behaviour{
		does("never-answers", "reads the request and never answers", func(*stream) {}),
		{Name: "window-shut", What: "never opens the window for the body and never answers", http2: func(*stream) {}},
		does("stalls-after-head", "falls silent after the head", func(st *stream) { st.headers(false, ":status", "200") }),
		does("stalls-in-body", "falls silent within the body", func(st *stream) { st.begun() }),
		does("stalls-after-inform", "sends a 103 and falls silent", func(st *stream) { st.headers(false, ":status", "103", "link", "</a>") }),
		does("stalls-in-frame", "falls silent within a frame of the body, and closes a little after the client had enough", func(st *stream) {
			st.begun()
			st.mu.Lock() // the rest of the frame would be whatever came next
			defer st.mu.Unlock()
			n := st.number
			st.write(string([]byte{0, 0, 64, 0, 0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}) + "half")
			st.sleep(900 * time.Millisecond)
			_ = st.Close()
		}),
	}
}

func headers2() []Behaviour {
	head := func(name, what string, pairs ...string) Behaviour {
		return does(name, what, func(st *stream) {
			st.headers(false, pairs...)
			st.data(true, Body(st.id))
		})
	}
	return []Behaviour{
		head("no-status", "sends a head without :status", "x-a", "b"),
		head("status-word", "sends a :status that is no number", ":status", "abc"),
		head("status-0", "sends the :status 000", ":status", "000"),
		head("status-4-digits", "sends a :status of four digits", ":status", "2000"),
		head("status-twice", "sends :status twice", ":status", "200", ":status", "200"),
		head("status-late", "sends :status after a field", "x-a", "b", ":status", "200"),
		head("switch-unasked", "answers 101", ":status", "101"),
		head("field-upper", "sends a field name in upper case", ":status", "200", "X-A", "b"),
		head("field-lines", "sends a line end in a field", ":status", "200", "x-a", "b\r\nset-cookie: c"),
		head("field-nul", "sends a NUL in a field", ":status", "200", "x-a", "b\x00c"),
		head("field-pseudo", "sends :path in an answer", ":status", "200", ":path", "/"),
		head("field-hop", "sends a Connection field", ":status", "200", "connection", "close"),
		does("two-lengths", "says two lengths that differ", func(st *stream) {
			st.begun("content-length", "5", "content-length", length(st.id, 0))
			st.data(true, "")
		}),
		does("length-word", "says a length that is no number", func(st *stream) {
			st.begun("content-length", "many")
			st.data(true, "")
		}),
		does("data-first", "sends the body before the head", func(st *stream) { st.data(false, "body"); st.answer() }),
		does("inform-ends", "ends the stream with an interim answer", func(st *stream) { st.headers(true, ":status", "103") }),
		does("trailers-open", "sends trailers that do not end the stream", func(st *stream) {
			st.begun()
			st.headers(false, "x-sum", "1")
			st.data(true, "more")
		}),
		does("trailers-pseudo", "sends :status in the trailers", func(st *stream) { st.begun(); st.headers(true, ":status", "200") }),
	}
}

func frames2() []Behaviour {
	raw := func(name, what string, t http2.FrameType, flags http2.Flags, payload string, zero bool) Behaviour {
		return does(name, what, func(st *stream) {
			number := st.number
			if zero {
				number = 0
			}
			st.raw(t, flags, number, payload)
			st.settle()
		})
	}
	return []Behaviour{
		raw("bad-compression", "sends a head whose compression is broken", http2.FrameHeaders, http2.FlagHeadersEndHeaders, "\xff\xff\xff\xff\xff\xff", false),
		raw("large-frame", "sends a frame larger than is allowed", http2.FrameData, 0, strings.Repeat("x", 2<<20), false),
		raw("data-on-0", "sends DATA for the connection", http2.FrameData, 0, "x", true),
		raw("settings-short", "sends SETTINGS of five bytes", http2.FrameSettings, 0, "12345", true),
		raw("window-zero", "opens the window by nothing", http2.FrameWindowUpdate, 0, "\x00\x00\x00\x00", true),
		raw("continuation-alone", "sends CONTINUATION without a head", http2.FrameContinuation, http2.FlagContinuationEndHeaders, "x", false),
		raw("push", "promises a push", http2.FramePushPromise, http2.FlagPushPromiseEndHeaders, "\x00\x00\x00\x02\x82", false),
		does("garbage", "sends random bytes", func(st *stream) { st.bytes(strings.Repeat("\x8f\xff\x10", 100)); st.leave() }),
		does("http1", "answers as HTTP/1.1 does", func(st *stream) { st.bytes(whole(st.id)); st.leave() }),
		does("unknown-frame", "sends a frame of an unknown type, and answers", func(st *stream) {
			st.raw(0xbe, 0, st.number, "what?")
			st.answer()
		}),
		does("second-answer", "sends a second answer on the stream that has ended", func(st *stream) {
			st.answer()
			st.headers(false, ":status", "200")
			st.data(true, Body("stolen"))
		}),
		does("other-stream", "answers on a stream that nobody opened", func(st *stream) {
			other := *st
			other.number += 1000
			other.headers(false, ":status", "200")
			other.data(true, Body("stolen"))
			st.settle()
		}),
	}
}

func floods2() []Behaviour {
	many := func(name, what string, n int, flood func(*stream) bool) Behaviour {
		return does(name, what, func(st *stream) {
			for range n {
				if !flood(st) {
					return
				}
			}
			st.answer()
		})
	}
	return []Behaviour{
		many("inform-flood", "sends 100,000 interim answers", 100_000, func(st *stream) bool {
			return st.headers(false, ":status", "103", "link", "</a>")
		}),
		many("settings-flood", "sends 5,000 SETTINGS, and answers", 5_000, func(st *stream) bool {
			return st.frame(func(f *http2.Framer) error { return f.WriteSettings() })
		}),
		many("ping-flood", "sends 5,000 PING, and answers", 5_000, func(st *stream) bool {
			return st.frame(func(f *http2.Framer) error { return f.WritePing(false, [8]byte{}) })
		}),
		does("large-head", "sends 10 MiB of header fields", func(st *stream) {
			piece := "\x00\x08x-filler\x7f\x81\x06" + strings.Repeat("x", 127+1+6*128)
			st.raw(http2.FrameHeaders, 0, st.number, "\x88")
			for range 10 << 20 / len(piece) {
				if !st.raw(http2.FrameContinuation, 0, st.number, piece) {
					return
				}
			}
			st.raw(http2.FrameContinuation, http2.FlagContinuationEndHeaders, st.number, "")
		}),
		does("continuation-flood", "sends 10,000 empty CONTINUATION, and answers", func(st *stream) {
			st.raw(http2.FrameHeaders, 0, st.number, "\x88")
			for range 10_000 {
				if !st.raw(http2.FrameContinuation, 0, st.number, "") {
					return
				}
			}
			st.raw(http2.FrameContinuation, http2.FlagContinuationEndHeaders, st.number, "")
			st.data(true, Body(st.id))
		}),
		does("empty-data-flood", "sends 10,000 empty DATA, and ends", func(st *stream) {
			st.begun()
			for range 10_000 {
				if !st.data(false, "") {
					return
				}
			}
			st.data(true, "")
		}),
	}
}
