package event

// OwnFields are the names that a message at the root cannot have.
var OwnFields = ownFields
