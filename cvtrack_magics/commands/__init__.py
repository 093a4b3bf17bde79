"""What users call: each public function, and the line or cell magic beside it."""
