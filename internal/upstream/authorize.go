package upstream

import (
	"context"

	"github.com/spanway/spanway/internal/check"
	"github.com/spanway/spanway/internal/gateway"
)

// Authorizer gives the credentials of one attempt, as header fields. It is
// asked after the call has been encoded, so that it may sign what is sent. The
// caller's own fields of these names do not travel.
type Authorizer interface {
	Authorize(context.Context, *gateway.Call) ([]gateway.Fact, error)
}

// Bearer returns an Authorizer that sends a key as a bearer token.
func Bearer(key check.Secret) Authorizer {
	return fields{{Key: "Authorization", Value: "Bearer " + key.Reveal()}}
}

// fields is an Authorizer whose credentials are the same for every attempt.
// Without any, nothing is sent.
type fields []gateway.Fact

func (f fields) Authorize(context.Context, *gateway.Call) ([]gateway.Fact, error) { return f, nil }

func authorizerOf(settings Settings) Authorizer {
	if len(settings.Keys) == 0 {
		return fields(nil)
	}
	if settings.Dialect == "anthropic" {
		return fields{{Key: "X-Api-Key", Value: settings.Keys[0].Reveal()}}
	}
	return Bearer(settings.Keys[0])
}
