#!/usr/bin/env bun
/** The command line: which command, with which words. The commands themselves are in `app/commands`. */
import { runCommand } from "./app/commands/commands.ts";

process.exitCode = await runCommand(process.argv.slice(2));
