//go:build monitoring

package monitoring

import (
	"math"
	"slices"
)

// phase is a state of rtbeat in the story.
type phase string

const (
	well    phase = "well"    // good senders, and a sink that acknowledges
	trouble phase = "trouble" // also senders that make every mistake, and more of them than connections
	stalled phase = "stalled" // the sink takes events and acknowledges none
	back    phase = "back"    // the sink's connections were cut, and it acknowledges again
	gone    phase = "gone"    // rtbeat has stopped
)

// want is the result of a query in a phase: the minimum and the maximum of all its values.
type want struct {
	in                   phase
	leastFrom, leastUpTo float64
	mostFrom, mostUpTo   float64
}

// always is between two numbers at all times.
func always(in phase, from, upTo float64) want { return want{in, from, upTo, from, upTo} }

// reaches is never below 0, and above a number at least once.
func reaches(in phase, above float64) want {
	return want{in, 0, math.Inf(1), math.Nextafter(above, math.Inf(1)), math.Inf(1)}
}

// share is always between 0 and 1, and above a number at least once.
func share(in phase, above float64) want {
	return want{in, 0, 1, math.Nextafter(above, 1), 1}
}

// holds says whether the values of all series of a query match.
func (w want) holds(found map[string][]float64) (least, most float64, ok bool) {
	var all []float64
	for _, values := range found {
		all = append(all, values...)
	}
	all = slices.DeleteFunc(all, math.IsNaN) // a quantile without samples, at the edge of a phase
	if len(all) == 0 {
		return math.NaN(), math.NaN(), false
	}
	least, most = slices.Min(all), slices.Max(all)
	return least, most, least >= w.leastFrom && least <= w.leastUpTo && most >= w.mostFrom && most <= w.mostUpTo
}

// Limits of the story's rtbeat.
const (
	maxConnections = 24
	queueEvents    = 64
	timeout        = 3
	maxBytes       = 1 << 20
	days90         = 90 * 24 * 60 * 60
)

// expected has the values of each query of the dashboard, by phase. Both ways of scraping show the same rtbeat, so that sums are
// doubled. On a busy machine a scrape may take longer than its second and fail. Queries about failed scrapes show that for a
// moment.
var expected = map[string][]want{
	"Overview / Verdict / A":                      {{well, 0, 0, 0, 4}, reaches(stalled, 2.5), always(gone, 4, 4)},
	"Overview / Instances down / A":               {{well, 0, 0, 0, 1}, always(gone, 2, 2)},
	"Overview / Answers 200 / A":                  {always(well, 1, 1), {trouble, 0.1, 0.95, 0.1, 0.95}},
	"Overview / Ack time, p99 of the timeout / A": {{well, 0.0001, 0.5, 0.0001, 0.5}},
	"Overview / Bytes in flight of the limit / A": {always(well, 0, 0.5), share(stalled, 0.001)},
	"Overview / Oldest unacknowledged event / A":  {always(well, 0, 2), reaches(stalled, 4)},
	"Overview / Alerts / A":                       {always(well, 0, 0), reaches(stalled, 0)},
	"Overview / In and out / A":                   {reaches(well, 10)},
	"Overview / In and out / B":                   {reaches(well, 10), always(stalled, 0, 0)},
	"Overview / Phase / A":                        {{well, 0, 0, 2, 2}},

	"Senders / Batches / A":                            {reaches(well, 1)},
	"Senders / Messages / A":                           {reaches(well, 10)},
	"Senders / Bytes of bodies / A":                    {reaches(well, 1000)},
	"Senders / Connections / A":                        {{trouble, 1, maxConnections, maxConnections / 2, maxConnections}},
	"Senders / Connections / B":                        {always(well, maxConnections, maxConnections)},
	"Senders / Connections / C":                        {always(well, 0, 0), reaches(trouble, 0)},
	"Senders / Refused credentials and handshakes / A": {always(well, 0, 0), reaches(trouble, 0)},
	"Senders / Refused credentials and handshakes / B": {always(well, 0, 0), reaches(trouble, 0)},
	"Senders / Certificate expires in / A":             {always(well, days90-600, days90)},
	"Intake / Answers / A":                             {reaches(well, 1)},
	"Intake / Answers 5xx / A":                         {always(well, 0, 0), share(stalled, 0.5)},
	"Intake / Batches that cannot be read / A":         {always(well, 0, 0), reaches(trouble, 0)},
	"Intake / Requests in flight / A":                  {{stalled, 0, 100, 1, 100}},
	"Intake / Requests in flight / B":                  {reaches(well, 10)},
	"Intake / Numbers kept as strings / A":             {always(well, 0, 0), reaches(trouble, 0)},
	"In flight / Bytes in flight / A":                  {{stalled, 1000, maxBytes, 1000, maxBytes}},
	"In flight / Bytes in flight / B":                  {always(well, maxBytes, maxBytes)},
	"In flight / Time to the acknowledgement / A":      {{well, 0, timeout, 0.0001, timeout}},
	"In flight / Time to the acknowledgement / B":      {{well, 0, timeout, 0.0001, timeout}},
	"In flight / Time to the acknowledgement / C":      {{well, 0, timeout, 0.0001, timeout}},
	"In flight / Time to the acknowledgement / D":      {always(well, timeout, timeout)},
	"In flight / Oldest unacknowledged event / A":      {always(well, 0, 2), reaches(stalled, 4)},
	"In flight / Deduped messages / A":                 {always(well, 0, 0), reaches(trouble, 0), reaches(stalled, 0)},
	"In flight / Delivered messages remembered / A":    {reaches(well, 100)},
	"In flight / Delivered messages remembered / B":    {reaches(well, 10000)},
	"In flight / Withdrawn, filtered, dropped / A":     {always(well, 0, 0), reaches(stalled, 0)},
	"In flight / Withdrawn, filtered, dropped / B":     {always(well, 0, 0), reaches(trouble, 0)},
	"In flight / Withdrawn, filtered, dropped / C":     {always(stalled, 0, 0)},
	"Queue / Batches that wait for a worker / A":       {reaches(stalled, 0)},
	"Queue / Wait for a worker / A":                    {{well, 0, timeout, 0.000001, timeout}},
	"Queue / Wait for a worker / B":                    {{well, 0, timeout, 0.00001, timeout}},
	"Queue / Wait for a worker / C":                    {{well, 0, timeout, 0.00001, timeout}},
	"Queue / Events in the queue / A":                  {{stalled, queueEvents, queueEvents, queueEvents, queueEvents}},
	"Queue / Events in the queue / B":                  {{stalled, queueEvents, queueEvents + 8, queueEvents, queueEvents + 8}},
	"Queue / Events in the queue / C":                  {always(well, queueEvents, queueEvents)},
	"Queue / Events in the queue / D":                  {always(well, queueEvents, queueEvents)},
	"Output / Acknowledged events / A":                 {reaches(well, 10), always(stalled, 0, 0)},
	"Output / Acknowledged events / B":                 {reaches(well, 10), always(stalled, 0, 0)},
	"Output / Stalled / A":                             {always(well, 0, 0), {stalled, 0, 1, 1, 1}},
	"Output / Since the last acknowledgement / A":      {always(well, 0, 2), reaches(stalled, 4)},
	"Output / Since the last acknowledgement / B":      {always(well, -1, 3), reaches(stalled, 4)},
	"Output / Failures of the output / A":              {always(well, 0, 0), reaches(back, 0)},
	"Output / Failures of the output / B":              {always(well, 0, 0), reaches(back, 0)},
	"Output / Failures of the output / C":              {always(well, 0, 0), always(back, 0, 0)},
	"Output / Failures of the output / D":              {always(well, 0, 0), always(back, 0, 0)},
	"Output / Failures of the output / E":              {always(well, 0, 0)},
	"Output / Events at the output / A":                {reaches(stalled, 0)},
	"Output / Bytes to the output / A":                 {reaches(well, 100)},
	"Output / Windows to the output / A":               {reaches(well, 0)},
	"Output / What a 200 means / A":                    {{well, 0, 0, 2, 2}},
	"Process / Memory / A":                             {always(well, 10<<20, 2<<30)},
	"Process / Processor / A":                          {{well, 0, 8, 0.0001, 8}},
	"Process / Uptime / A":                             {{well, 0, 600, 1, 600}},
	"Process / Version / A":                            {always(well, 2, 2)},
}

// recorded has the values of the recording rules. Their ranges of 5 minutes cover the whole story, so that earlier phases are
// still in them.
var recorded = map[string][]want{
	"instance:rtbeat_batches:rate5m":                  {reaches(well, 1)},
	"instance:rtbeat_messages:rate5m":                 {reaches(well, 10)},
	"instance:rtbeat_events_acked:rate5m":             {reaches(well, 10)},
	"instance:rtbeat_answers:rate5m":                  {reaches(well, 1)},
	"instance_code:rtbeat_answers:rate5m":             {reaches(well, 1)},
	"instance:rtbeat_answers_5xx:ratio_rate5m":        {always(well, 0, 0), share(stalled, 0.01)},
	"instance:rtbeat_messages_coalesced:ratio_rate5m": {always(well, 0, 0), share(trouble, 0.001)},
	"instance:rtbeat_ack_duration_seconds:p50_rate5m": {{well, 0, timeout, 0.0001, timeout}},
	"instance:rtbeat_ack_duration_seconds:p99_rate5m": {{well, 0, timeout, 0.0001, timeout}},
	"instance:rtbeat_publish_wait_seconds:p99_rate5m": {{well, 0, timeout, 0.00001, timeout}},
	"instance:rtbeat_in_flight_bytes:ratio":           {always(well, 0, 0.5), share(stalled, 0.001)},
	"instance:rtbeat_in_flight_requests:ratio":        {always(well, 0, 0.5), share(stalled, 0)},
	"instance:rtbeat_in_flight_events:ratio":          {{well, 0, 1, 0, 1}, {stalled, 1, 1.2, 1, 1.2}},
	"instance:rtbeat_connections:ratio":               {share(trouble, 0.4)},
	"instance:rtbeat_dedupe_entries:ratio":            {share(well, 0)},
	"job:rtbeat_up:sum":                               {{well, 1, 2, 2, 2}, always(gone, 0, 0)},
	"job_namespace:rtbeat_up:count":                   {{well, 1, 2, 2, 2}, always(gone, 2, 2)},
}
