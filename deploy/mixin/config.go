package main

import (
	"strconv"
	"strings"
)

// config is what somebody may want to change. Everything that is generated takes its selector and its numbers from here.
type config struct {
	// Job is the label `job` of rtbeat's targets.
	Job string
	// Runbooks is the page that alerts and panels link to.
	Runbooks string

	// Latency is the share of rtbeat.timeout above which the slowest acknowledgements are near a 504.
	Latency float64
	// Failing and Broken are the shares of answers with a 5xx that somebody should, and must at once, look at.
	Failing, Broken float64
	// NearLimit is the share of a limit from which it is near. /readyz says in_flight_high from the same share on.
	NearLimit float64
	// QueueFull is the share of libbeat's queue from which publishing as good as waits for the output. The queue is
	// emptied by windows, so it is rarely at 1 for long.
	QueueFull float64
	// Joined is the share of messages that came again.
	Joined float64
	// Owed is how old, in seconds, the oldest event that the output owes may become.
	Owed int
	// FullWithin is how many hours before the queue on disk is full somebody is woken.
	FullWithin int
	// Overdue is how old, in seconds, the oldest batch in the queue on disk may become.
	Overdue int
	// Restarts within half an hour are no update any more.
	Restarts int
	// Repeats are refusals of one kind within a quarter of an hour that are no accident any more.
	Repeats int
	// CertificateSoon and CertificateNow are the days before its end at which a certificate is due, and overdue.
	CertificateSoon, CertificateNow int
}

func defaults() config {
	return config{
		Job:      "rtbeat",
		Runbooks: "https://github.com/txn2/rtbeat/blob/main/docs/runbooks.md",

		Latency:         0.8,
		Failing:         0.05,
		Broken:          0.5,
		NearLimit:       0.9,
		QueueFull:       0.95,
		Joined:          0.1,
		Owed:            300,
		FullWithin:      4,
		Overdue:         3600,
		Restarts:        3,
		Repeats:         3,
		CertificateSoon: 14,
		CertificateNow:  3,
	}
}

// expr fills in an expression of the rules. $S is the selector; it stands first in the braces, so that others may follow.
// The names of the settings stand for their numbers.
func (c config) expr(text string) string {
	number := func(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
	return strings.NewReplacer(
		"$S", `job="`+c.Job+`"`,
		"$Latency", number(c.Latency),
		"$Failing", number(c.Failing),
		"$Broken", number(c.Broken),
		"$NearLimit", number(c.NearLimit),
		"$QueueFull", number(c.QueueFull),
		"$Joined", number(c.Joined),
		"$Owed", strconv.Itoa(c.Owed),
		"$FullWithin", strconv.Itoa(c.FullWithin*60*60),
		"$Overdue", strconv.Itoa(c.Overdue),
		"$Restarts", strconv.Itoa(c.Restarts),
		"$Repeats", strconv.Itoa(c.Repeats),
		"$CertificateSoon", strconv.Itoa(c.CertificateSoon*24*60*60),
		"$CertificateNow", strconv.Itoa(c.CertificateNow*24*60*60),
	).Replace(text)
}

// runbook is the section of an alert. GitHub makes anchors of headings in lower case.
func (c config) runbook(alert string) string { return c.Runbooks + "#" + strings.ToLower(alert) }
