package admin

import (
	"encoding/json"

	"github.com/asynched/api-gateway/client"
)

// The examples of the description. A test holds them against the schemas.

func exampleRegistration() any {
	return client.Registration{Tag: "mail", Host: "mail.example.com", Address: "localhost:3001", Name: "Mail"}
}

func exampleRegistered() any {
	return json.RawMessage(`{"data":{"id":"06h04vvg37a1g3p2gfg6a9jcxg","tag":"mail","host":"mail.example.com",` +
		`"address":"localhost:3001","name":"Mail","status":"unknown",` +
		`"createdAt":"2026-11-22T08:46:27.354Z","updatedAt":"2026-11-22T08:46:27.354Z"}}`)
}

func exampleMessage() any {
	return client.Message{Message: "localhost:3001 of mail.example.com has been deregistered"}
}

func exampleService() any {
	return json.RawMessage(`{"protocol":"http","instances":[{"address":"10.0.0.7:3001"}],` +
		`"health":{"active":{"type":"http","path":"/healthz"}}}`)
}

func exampleRoute() any {
	return json.RawMessage(`{"match":{"hosts":["shop.example.com"],"paths":["/api/orders/*"]},"service":"orders"}`)
}

func exampleListener() any {
	return json.RawMessage(`{"address":":8081","protocols":["h1","h2c"]}`)
}

func exampleConfig() any {
	return json.RawMessage(`{"version":1,"services":{"orders":{"instances":[{"address":"10.0.0.7:3001"}]}},` +
		`"routes":{"orders":{"match":{"hosts":["shop.example.com"]},"service":"orders"}}}`)
}
