"""Key points: objects whose places are points, compared by COCO's OKS."""
