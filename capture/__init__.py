"""Where frames come from: the sources behind `input_reader.InputReader`."""
