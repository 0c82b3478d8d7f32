module github.com/elastic/elastic-agent-client/v7

go 1.26
