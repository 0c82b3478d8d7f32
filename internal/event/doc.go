// Package event gives a message the form that its event has in the output: the fields of the event, and its time.
//
// It is free of libbeat, so that the configuration can declare the settings of a form. Publishing makes libbeat's event of the parts.
package event
