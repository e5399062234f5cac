"""What a picture shows beside the digit: the sheet it is on, ruled lines, boxes, frames, specks and neighbours."""
