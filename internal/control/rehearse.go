package control

import "context"

// Rehearse says what Reload would change, and changes nothing. The errors are those of Reload.
func (c *Control) Rehearse(context.Context) (*Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	src, errs := c.read()
	if len(errs) > 0 {
		return nil, c.explainErrors(src, errs)
	}
	env := c.opts.Env
	env.Offline = true
	snap, state, err := c.build(change{source: "reload", file: src, api: c.api}, env)
	if err != nil {
		return nil, err
	}
	return &Result{State: state, Changes: Diff(c.state.Load().Document, state.Document)}, snap.Discard()
}
