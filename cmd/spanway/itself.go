package main

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/spanway/spanway/telemetry"
)

// watchItself publishes the gauges of the process itself.
func (d *daemon) watchItself() error {
	meter := d.telemetry.Meter()
	reloaded, err := meter.Int64ObservableGauge(telemetry.MetricConfigReloaded, metric.WithUnit("1"),
		metric.WithDescription("1 if the last reload of the configuration succeeded, 0 if an older one stays in force."))
	if err != nil {
		return err
	}
	breakers, err := meter.Int64ObservableGauge(telemetry.MetricBreakerState, metric.WithUnit("1"),
		metric.WithDescription("The breaker of a target: 0 is closed, 1 half open, 2 open."))
	if err != nil {
		return err
	}
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		var ok int64
		if d.reason.Load() == nil {
			ok = 1
		}
		o.ObserveInt64(reloaded, ok)
		for _, b := range d.process.Breakers.States() {
			of := []attribute.KeyValue{telemetry.SpanwayUpstream.String(b.Target.Upstream)}
			if b.Target.Model != "" {
				of = append(of, telemetry.GenAIRequestModel.String(b.Target.Model))
			}
			o.ObserveInt64(breakers, int64(b.State), metric.WithAttributes(of...))
		}
		return nil
	}, reloaded, breakers)
	return err
}
