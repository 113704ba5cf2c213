package admin

import "time"

// Heartbeat makes streams say something after that much silence.
func (s *Server) Heartbeat(after time.Duration) { s.heartbeat = after }
