package asynq

import (
	"context"
	"fmt"
	"log/slog"

	hibiken "github.com/hibiken/asynq"
)

// journal gives what asynq logs to a slog.Logger. A notice of asynq is a
// debugging message here.
type journal struct{ *slog.Logger }

var _ hibiken.Logger = journal{}

func (j journal) log(level slog.Level, args []any) {
	if ctx := context.Background(); j.Enabled(ctx, level) {
		j.Log(ctx, level, "asynq: "+fmt.Sprint(args...))
	}
}

// Debug implements [hibiken.Logger].
func (j journal) Debug(args ...any) { j.log(slog.LevelDebug, args) }

// Info implements [hibiken.Logger].
func (j journal) Info(args ...any) { j.log(slog.LevelDebug, args) }

// Warn implements [hibiken.Logger].
func (j journal) Warn(args ...any) { j.log(slog.LevelWarn, args) }

// Error implements [hibiken.Logger].
func (j journal) Error(args ...any) { j.log(slog.LevelError, args) }

// Fatal implements [hibiken.Logger]. It does not end the process.
func (j journal) Fatal(args ...any) { j.log(slog.LevelError, args) }
