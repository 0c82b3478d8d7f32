package intake

// AnswerDoc is an answer as the documentation lists it.
type AnswerDoc struct {
	Path       string // "/in", "/livez" or "/readyz"
	Code       int
	Status     string // the field of that name; empty where rtbeat sends nothing
	Reason     string
	HasReason  bool // in the body
	RetryAfter bool
	Closes     bool
	Setting    string // of /readyz
	Situation  string // Markdown
	Level      string // of its line in the log: "debug", "warn" or "error"
}

// AnswerDocs returns all answers, in the order of the table.
func AnswerDocs() []AnswerDoc {
	docs := make([]AnswerDoc, 0, len(outcomes))
	for i, row := range &outcomes {
		o := outcome(i)
		doc := AnswerDoc{
			Path: "/in", Code: row.status, Status: row.word, Reason: row.reason, HasReason: o.answerReason() != "",
			RetryAfter: row.retry, Closes: row.close, Setting: settingOf[o], Situation: row.situation, Level: string(row.level),
		}
		switch {
		case o == challenged:
			doc.Status = "" // the sender decides what is in the body
		case o == alive:
			doc.Path = "/livez"
		case o.health():
			doc.Path = "/readyz"
		}
		docs = append(docs, doc)
	}
	return docs
}
