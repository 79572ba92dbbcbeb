// Command bench measures the project against anchors in the same run and
// writes the report.
//
//	go run .            # a few minutes
//	go run . -long      # with ten million rows, some minutes more
//	go run . -only samples                    # brings a part of the report up to date
//	go run . -only samples -rounds 2 -out ""  # prints only
//
// A measurement and its anchor take turns, round by round, and of each the best
// round counts: noise of the machine only ever makes a round slower. Rates that
// come from different runs are not to be compared.
package main
