package provider

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

// maxModelList bounds a provider's list of models. OpenRouter's, the longest
// known, is under 1 MiB.
const maxModelList = 4 << 20

// Models answers GET /v1/models and /v1/models/{id}: the configured names first,
// then what the default provider offers under its own names.
type Models struct {
	Names []string                                    // the configured names, sorted
	Open  func(model string) (gateway.Handler, error) // the provider that a name leads to; "" is the default one's list, nil where there is none
	May   func(caller, model string) bool             // whether a caller may ask for a name
}

// Handle implements [gateway.Handler].
func (m *Models) Handle(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
	if id := call.Params["id"]; id != "" {
		return m.one(ctx, call, id)
	}
	var list []model
	for _, name := range m.Names {
		if m.May(call.Caller, name) {
			list = append(list, model{id: name})
		}
	}
	offered, err := m.offered(ctx, call)
	switch {
	case err == nil:
		list = append(list, offered...)
	case len(list) == 0:
		return nil, err
	default:
		call.Note("models", "partial") // the default provider did not say what it has
	}
	return document(appendModels(call.Dialect, list)), nil
}

// one answers for a single name. What is not configured is asked of the provider
// that would get it.
func (m *Models) one(ctx context.Context, call *gateway.Call, id string) (*gateway.Reply, error) {
	id, err := url.PathUnescape(id)
	if err != nil || !m.May(call.Caller, id) {
		e := gateway.Errorf(gateway.NoModel, "there is no model %q", id)
		e.Param = "model"
		return nil, e
	}
	if slices.Contains(m.Names, id) {
		return document(appendModel(call.Dialect, nil, model{id: id})), nil
	}
	handler, err := m.Open(id)
	if err != nil {
		return nil, err
	}
	reply, err := handler.Handle(ctx, call)
	if err != nil || reply.Status != http.StatusOK {
		return reply, err
	}
	defer reply.Close()
	body, err := io.ReadAll(io.LimitReader(reply.Body, maxModelList+1))
	if err != nil || len(body) > maxModelList || !llm.Valid(body) {
		return nil, gateway.Errorf(gateway.UpstreamFailed, "the provider did not show its model").Because(err)
	}
	return document(appendModel(call.Dialect, nil, readModel(gjson.ParseBytes(body)))), nil
}

// offered returns the entries of the default provider's list that the caller may
// ask for.
func (m *Models) offered(ctx context.Context, call *gateway.Call) ([]model, error) {
	handler, err := m.Open("")
	if handler == nil || err != nil {
		return nil, err
	}
	reply, err := handler.Handle(ctx, call)
	if err != nil {
		return nil, err
	}
	defer reply.Close()
	body, err := io.ReadAll(io.LimitReader(reply.Body, maxModelList+1))
	if err != nil || reply.Status != http.StatusOK || len(body) > maxModelList || !llm.Valid(body) {
		return nil, gateway.Errorf(gateway.UpstreamFailed, "the provider did not list its models").Because(err)
	}
	var list []model
	for _, entry := range gjson.GetBytes(body, "data").Array() {
		if read := readModel(entry); read.id != "" && m.May(call.Caller, read.id) {
			list = append(list, read)
		}
	}
	return list, nil
}

func document(body []byte) *gateway.Reply {
	header := http.Header{"Content-Type": {"application/json"}}
	return gateway.NewReply(http.StatusOK, header, strings.NewReader(string(body)), int64(len(body)), nil)
}
