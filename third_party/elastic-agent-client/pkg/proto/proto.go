// Package proto names the few types of Elastic Agent's protocol that libbeat refers to.
package proto

// AgentManagedMode says whether an agent is managed by Fleet.
type AgentManagedMode int32

const (
	AgentManagedMode_MANAGED AgentManagedMode = iota
	AgentManagedMode_STANDALONE
)

// Features are an agent's feature flags.
type Features struct{}
