package inflight

// GiveWay calls giveWayLocked, as Next does after each MaxRun messages.
func (t *BatchAck) GiveWay() bool {
	t.registry.mu.Lock()
	defer t.registry.mu.Unlock()
	return t.giveWayLocked()
}
