package inflight

// GiveWay is what Next does after each MaxRun messages.
func (t *BatchAck) GiveWay() bool {
	t.registry.mu.Lock()
	defer t.registry.mu.Unlock()
	return t.giveWayLocked()
}
